"""The simulated meter: the same readings always, and such as a household's meter makes."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.meters.completeness import FULL_HOUR, minutes_of
from domain.meters.csv_format import read_line
from domain.meters.local_periods import Resolution
from domain.meters.readings import Interval
from domain.meters.simulation import simulate
from domain.meters.summaries import summarise
from domain.meters.time_zones import zone
from tests.readings import simulated_sums

DAY = datetime(2024, 1, 10, tzinfo=UTC)


def test_a_reading_stands_at_each_whole_minute() -> None:
    rows = b"".join(simulate("123", Interval(DAY, DAY + timedelta(minutes=10)))).splitlines()
    assert [row[:20].decode() for row in rows] == [f"2024-01-10T00:{minute:02}:00Z" for minute in range(10)]


def test_any_part_of_a_range_is_what_the_whole_has_there() -> None:
    whole = b"".join(simulate("123", Interval(DAY, DAY + timedelta(days=1)))).splitlines(keepends=True)
    for start, end in ((0, 1440), (7, 8), (59, 61), (30, 1400)):
        part = Interval(DAY + timedelta(minutes=start), DAY + timedelta(minutes=end))
        assert b"".join(simulate("123", part)) == b"".join(whole[start:end])


def test_its_readings_never_change() -> None:
    first = next(simulate("123", Interval(DAY, DAY + timedelta(minutes=1))))
    assert first == b"2024-01-10T00:00:00Z,123,0.003167,0.190,231.2,0.822\r\n"


def test_meters_differ() -> None:
    span = Interval(DAY, DAY + timedelta(hours=1))
    assert b"".join(simulate("123", span)).replace(b",123,", b",124,") != b"".join(simulate("124", span))


def test_energy_power_voltage_and_current_agree() -> None:
    for block in simulate("123", Interval(DAY, DAY + timedelta(days=1))):
        for row in block.splitlines():
            energy, power, voltage, current = read_line(row).values
            assert float(energy) == pytest.approx(float(power) / 60, abs=1e-6)
            assert float(current) == pytest.approx(1000 * float(power) / float(voltage), abs=1e-3)
            assert 227 < float(voltage) < 233


def test_a_day_has_the_shape_of_a_household() -> None:
    hours, _ = summarise(
        simulated_sums(Interval(DAY, DAY + timedelta(days=1))), zone("UTC"), Resolution.HOUR, 24
    )
    energy = [hour.energy_kwh or 0 for hour in hours]
    assert max(energy[18:21]) > 3 * max(energy[1:5])
    assert energy[7] > energy[3]


def energy_of_a_day(month: int) -> float:
    """Return the mean energy of five days of a month."""
    begins = [datetime(2024, month, number, tzinfo=UTC) for number in (1, 7, 13, 19, 25)]
    hours = [hour for begin in begins for hour in simulated_sums(Interval(begin, begin + timedelta(days=1)))]
    days = summarise(hours, zone("UTC"), Resolution.DAY, len(begins)).summaries
    return sum(float(day.energy_kwh or 0) for day in days) / len(begins)


def test_a_year_needs_what_a_household_needs_and_more_in_winter() -> None:
    energy = [energy_of_a_day(month) for month in range(1, 13)]
    assert 2500 < 366 * sum(energy) / 12 < 5500
    assert energy[0] > 1.2 * energy[6]


def test_there_is_a_reading_at_the_begin_of_each_minute() -> None:
    masks = {minutes_of(block) for block in simulate("123", Interval(DAY, DAY + timedelta(days=1)))}
    assert masks == {FULL_HOUR}
