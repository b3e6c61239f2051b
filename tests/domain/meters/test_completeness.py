"""Completeness against a naive count of every slot."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.meters.completeness import (
    INTERVALS,
    MAX_GAPS,
    Completeness,
    HourPresence,
    TooManyGapsError,
    completeness,
    minutes_of,
)
from domain.meters.local_periods import days_between
from domain.meters.readings import Interval, format_timestamp
from domain.meters.time_zones import zone

BEGIN = datetime(2024, 10, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def present_in(timestamps: set[datetime]) -> list[HourPresence]:
    hours: dict[datetime, list[datetime]] = {}
    for at in sorted(timestamps):
        hours.setdefault(at.replace(minute=0, second=0), []).append(at)
    return [
        HourPresence(
            hour,
            {quarter: sum(at.minute // 15 == quarter for at in inside) for quarter in range(4)},
            minutes_of("".join(f"{format_timestamp(at)},m,1,,,\r\n" for at in inside).encode()),
        )
        for hour, inside in hours.items()
    ]


def found_by(name: str, timestamps: set[datetime], seconds: int, now: datetime = LATER) -> Completeness:
    days = list(days_between(zone(name), date(2024, 10, 26), date(2024, 10, 29)))
    return completeness(days, present_in(timestamps), seconds, now)


@pytest.mark.slow
@given(
    st.sets(st.integers(-3 * 720, 4 * 1440), max_size=60),
    st.sets(st.integers(-9 * 3600, 90 * 3600), max_size=20),
    st.sampled_from(INTERVALS),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    st.integers(-20 * 60, 90 * 60),
    st.booleans(),
)
def test_every_slot_is_counted_once_and_every_gap_is_found(
    minutes: set[int], seconds: set[int], interval: int, name: str, now_minute: int, mostly_present: bool
) -> None:
    length, now = timedelta(seconds=interval), BEGIN + timedelta(minutes=now_minute)
    named = {BEGIN + timedelta(minutes=minute) for minute in minutes}
    if mostly_present:
        grid = {BEGIN + slot * length for slot in range(-20 * 3600 // interval, 96 * 3600 // interval)}
        named = grid - named
    timestamps = named | {BEGIN + timedelta(seconds=second) for second in seconds}
    found = found_by(name, timestamps, interval, now)
    slots = set()
    for day, counts in found.days:
        local = [at for at in timestamps if at.astimezone(zone(name)).date() == day]
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
        in_day = {
            at
            for step in range(3 * 86_400 // interval)
            if (at := begin + step * length).astimezone(zone(name)).date() == day
        }
        expected = {at for at in in_day if at <= now}
        slots |= expected
        assert counts.expected == len(expected)
        assert counts.present == len(expected & timestamps)
        assert counts.surplus == len([at for at in local if at not in in_day])
    missing = [at for gap in found.gaps for at in slots_of(gap, length)]
    assert missing == sorted(slots - timestamps)
    assert all(one.end < other.start for one, other in zip(found.gaps, found.gaps[1:], strict=False))
    assert found.total.missing == len(missing)


def slots_of(gap: Interval, length: timedelta) -> list[datetime]:
    return [gap.start + step * length for step in range((gap.end - gap.start) // length)]


def test_a_slot_is_expected_from_its_begin_on() -> None:
    for now, expected in ((BEGIN - timedelta(seconds=1), 0), (BEGIN, 1), (BEGIN + timedelta(minutes=15), 2)):
        assert found_by("UTC", set(), 900, now).total.expected == expected


def test_an_answer_has_at_most_so_many_gaps() -> None:
    days = list(days_between(zone("UTC"), date(2024, 1, 1), date(2024, 3, 1)))
    every_other = sum(1 << minute for minute in range(0, 60, 2))
    hours = [
        HourPresence(day.begin + hour * HOUR, dict.fromkeys(range(4), 8), every_other)
        for day in days
        for hour in range(24)
    ]
    whole_days = MAX_GAPS // 720
    assert len(completeness(days[:whole_days], hours, 60, LATER).gaps) == whole_days * 720
    with pytest.raises(TooManyGapsError):
        completeness(days, hours, 60, LATER)
