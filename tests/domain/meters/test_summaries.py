"""Summaries: exact sums, and answers whose cost does not follow what is stored."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.meters.csv_format import format_line
from domain.meters.local_periods import Resolution
from domain.meters.readings import Interval, Quality, hour_of
from domain.meters.summaries import (
    ENOUGH_COST,
    MAX_COST,
    HourSums,
    Position,
    Summary,
    stream_summaries,
    summarise,
)
from domain.meters.sums import Sums, add, sum_lines, sum_quarters
from domain.meters.time_zones import zone
from tests.readings import reading, simulated_sums

HOUR = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
UTC_ZONE = zone("UTC")


def hours_of(lines: Mapping[datetime, tuple[str, ...]]) -> Iterator[HourSums]:
    """Give the sums of readings at the instants given."""
    by_hour: dict[str, list[bytes]] = {}
    for at, values in lines.items():
        by_hour.setdefault(hour_of(at), []).append(format_line("m", reading(at, *values)))
    for hour, parts in by_hour.items():
        yield HourSums(datetime.fromisoformat(hour + ":00:00+00:00"), sum_quarters(b"".join(parts)), 1)


def test_a_summary_sums_energy_and_takes_the_mean_of_the_rest_exactly() -> None:
    rows = {HOUR + timedelta(minutes=30 * index): ("0.1", f"{index}", "230", "-1") for index in range(3)}
    hours, _ = summarise(hours_of(rows), UTC_ZONE, Resolution.HOUR, 10)
    assert [(hour.period.begin, hour.energy_kwh, hour.power_kw, hour.readings) for hour in hours] == [
        (HOUR, Decimal("0.2"), Decimal("0.5"), 2),
        (HOUR + timedelta(hours=1), Decimal("0.1"), Decimal(2), 1),
    ]
    (day,), _ = summarise(hours_of(rows), UTC_ZONE, Resolution.DAY, 10)
    assert (day.period.begin, day.energy_kwh, day.power_kw, day.current_a, day.readings) == (
        HOUR,
        Decimal("0.3"),
        Decimal(1),
        Decimal(-1),
        3,
    )


def test_a_value_that_is_missing_stays_out_of_sums_and_means() -> None:
    rows = {
        HOUR: ("0.1", "4", "", ""),
        HOUR + timedelta(minutes=1): ("", "2", "", ""),
        HOUR + timedelta(minutes=2): ("0.2", "", "", ""),
    }
    (hour,), _ = summarise(hours_of(rows), UTC_ZONE, Resolution.HOUR, 1)
    assert (hour.energy_kwh, hour.power_kw, hour.voltage_v, hour.current_a, hour.readings) == (
        Decimal("0.3"),
        Decimal(3),
        None,
        None,
        3,
    )


def test_qualities_are_counted() -> None:
    parts = [sum_lines(b"x,m,1,,,\r\n" * len(some), some) for some in (list(Quality), [Quality.FAULTY])]
    assert add(parts).qualities == dict.fromkeys(Quality, 1) | {Quality.FAULTY: 2}


values = st.builds(
    lambda digits, power: f"{Decimal(digits).scaleb(power):f}",
    st.integers(-(10**27), 10**27),
    st.integers(-50, -19),
)


@given(st.lists(values, min_size=1, max_size=60))
def test_sums_are_exact_and_means_are_rounded_half_even(numbers: list[str]) -> None:
    rows = {HOUR + timedelta(minutes=at): (text, text, "1", "1") for at, text in enumerate(numbers)}
    (day,), _ = summarise(hours_of(rows), UTC_ZONE, Resolution.DAY, 1)
    total = sum(map(Fraction, numbers))
    assert day.energy_kwh is not None
    assert day.power_kw is not None
    assert Fraction(day.energy_kwh) == total
    assert Fraction(day.power_kw) == Fraction(round(total / len(numbers) * 10**6), 10**6)


def many_hours(cost: int, taken: list[int]) -> Iterator[HourSums]:
    one = Sums(1, (1,) * 4, (Decimal(1),) * 4, {Quality.MEASURED: 1})
    for hour in range(24 * 100):
        taken.append(cost)
        yield HourSums(HOUR + timedelta(hours=hour), {0: one}, cost)


def test_an_answer_ends_with_the_day_in_which_it_has_cost_enough() -> None:
    taken: list[int] = []
    page = summarise(many_hours(200_000, taken), UTC_ZONE, Resolution.DAY, 1440)
    # The hour behind the last day is read to know that there is one.
    assert ENOUGH_COST <= sum(taken[:-1]) < ENOUGH_COST + 24 * 200_000
    assert page.following == Position(page.summaries[-1].period.end)
    assert all(day.readings == 24 for day in page.summaries)


def test_a_month_that_costs_too_much_for_one_answer_goes_on_in_the_next() -> None:
    taken: list[int] = []
    page = summarise(many_hours(500_000, taken), UTC_ZONE, Resolution.MONTH, 1440)
    assert sum(taken[:-1]) == MAX_COST
    assert page.summaries == []
    found: list[Summary] = []
    while page.following:
        after = [hour for hour in many_hours(500_000, []) if hour.hour >= page.following.start]
        page = summarise(after, UTC_ZONE, Resolution.MONTH, 1440, page.following.begun)
        found += page.summaries
    assert found == summarise(many_hours(0, []), UTC_ZONE, Resolution.MONTH, 1440).summaries
    assert [month.readings for month in found] == [31 * 24, 29 * 24, 31 * 24, 9 * 24]


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 9),
    st.integers(1, 80),
    st.sampled_from(list(Resolution)[1:]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_pages_together_are_the_whole(limit: int, hours: int, resolution: Resolution, name: str) -> None:
    begin = datetime(2024, 3, 30, tzinfo=UTC)
    end = begin + timedelta(hours=hours)
    position: Position | None = Position(begin)
    found: list[Summary] = []
    while position:
        sums = simulated_sums(Interval(position.start, end))
        page = summarise(sums, zone(name), resolution, limit, position.begun)
        found += page.summaries
        position = page.following
        assert len(page.summaries) == limit or not position
    whole = summarise(simulated_sums(Interval(begin, end)), zone(name), resolution, 1000)
    assert whole.following is None
    assert found == whole.summaries
    streamed = stream_summaries(simulated_sums(Interval(begin, end)), zone(name), resolution)
    assert [summary for _, summaries in streamed for summary in summaries] == found


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40 * 86_400 - 1), values),
        min_size=1,
        max_size=200,
        unique_by=lambda one: one[0],
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]),
    st.sampled_from(["2011-12-10T07:30:00", "2024-03-10T11:15:00", "2024-10-01T00:00:00"]),
)
def test_readings_quarters_hours_days_and_months_have_the_same_sum_digit_for_digit(
    readings: list[tuple[int, str]], name: str, start: str
) -> None:
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    rows = {begin + timedelta(seconds=second): (text, "", "", "") for second, text in sorted(readings)}
    total = sum(Fraction(text) for _, text in readings)
    for resolution in list(Resolution)[1:]:
        summaries, following = summarise(hours_of(rows), zone(name), resolution, 10_000)
        assert following is None
        assert sum(Fraction(summary.energy_kwh or 0) for summary in summaries) == total
        assert sum(summary.readings for summary in summaries) == len(readings)
        for summary in summaries:
            inside = [
                Fraction(text)
                for second, text in readings
                if summary.period.begin <= begin + timedelta(seconds=second) < summary.period.end
            ]
            assert (len(inside), sum(inside)) == (summary.readings, Fraction(summary.energy_kwh or 0))
