"""Which slots of a meter's grid have a reading, by local day, and where readings are missing.

The grid counts in UTC, so that a clock change neither adds a slot nor takes one. Its intervals divide an hour and
are whole minutes: what an hour has is a mask of sixty bits, one for each minute that has a reading at its begin.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from domain.meters.local_periods import Period
from domain.meters.readings import Interval

INTERVALS = (60, 300, 900, 1800, 3600)
"""Seconds between the readings that a meter may be expected to send."""
MAX_GAPS = 20_000
"""Gaps of one answer; a day has at most 720, so that fewer days always have an answer."""

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_MINUTES = 60
FULL_HOUR = (1 << _MINUTES) - 1
_QUARTER_MINUTES = 15
_WHOLE_MINUTES = {f":{minute:02}:00Z".encode(): 1 << minute for minute in range(_MINUTES)}
_FIRST_OF_MINUTE = slice(13, 20)  # `:05:00Z` of `2024-01-01T00:05:00Z`


class IntervalUnknownError(Exception):
    """Nobody has said how often this meter sends readings."""

    def __init__(self, meter_id: str) -> None:
        super().__init__(
            f"The interval of smart meter '{meter_id}' is not known: set its interval_seconds first."
        )


class TooManyGapsError(Exception):
    """There are more gaps than one answer holds."""

    def __init__(self) -> None:
        super().__init__(
            f"There are more than {MAX_GAPS:,} gaps: ask for fewer days, or set interval_seconds if it is wrong"
        )


class HourPresence(NamedTuple):
    """What is stored of an hour of UTC: how many readings by quarter (0 to 3), and the mask of its minutes."""

    hour: datetime
    readings: Mapping[int, int]
    minutes: int


class Counts(NamedTuple):
    """How many slots are expected and how many have a reading; `surplus` readings are in no slot."""

    expected: int = 0
    present: int = 0
    surplus: int = 0

    @property
    def missing(self) -> int:
        """How many slots have no reading."""
        return self.expected - self.present

    def plus(self, other: "Counts") -> "Counts":
        """Add the counts of another time."""
        return Counts(*(one + more for one, more in zip(self, other, strict=True)))


class DayCounts(NamedTuple):
    """The counts of a local day."""

    day: date
    counts: Counts


@dataclass
class Completeness:
    """The counts of some days, and the merged ranges in which slots have no reading."""

    days: list[DayCounts] = field(default_factory=list)
    gaps: list[Interval] = field(default_factory=list)

    @property
    def total(self) -> Counts:
        """The counts of all days."""
        total = Counts()
        for day in self.days:
            total = total.plus(day.counts)
        return total


def minutes_of(lines: bytes) -> int:
    """Return the mask of an hour's lines: the minutes that have a reading at their begin."""
    return sum(_WHOLE_MINUTES.get(line[_FIRST_OF_MINUTE], 0) for line in lines.split(b"\n"))


def minutes_on(interval_seconds: int) -> int:
    """Return the mask of a full hour of the grid."""
    return sum(1 << minute for minute in range(0, _MINUTES, interval_seconds // 60))


def completeness(
    days: Iterable[Period], hours: Iterable[HourPresence], interval_seconds: int, now: datetime
) -> Completeness:
    """Compare the `hours` that have readings, in any order, with the grid of some adjacent local `days`.

    A slot is expected unless it begins after `now`. Readings off the grid are surplus. Those on slots that are
    not expected yet count nowhere.

    Raises:
        TooManyGapsError: there are more than MAX_GAPS.
    """
    found = Completeness()
    stored = {hour.hour: hour for hour in hours}
    grid = minutes_on(interval_seconds)
    length = timedelta(seconds=interval_seconds)
    for day in days:
        counts = Counts()
        for hour, part in _hours_of(day):
            presence = stored.get(hour, HourPresence(hour, {}, 0))
            expected = grid & part & _mask_until(hour, now)
            minutes = presence.minutes & part
            readings = sum(
                count
                for quarter, count in presence.readings.items()
                if part >> quarter * _QUARTER_MINUTES & 1
            )
            surplus = readings - (minutes & grid).bit_count()
            counts = counts.plus(Counts(expected.bit_count(), (expected & minutes).bit_count(), surplus))
            _add_gaps(found.gaps, hour, expected, expected & ~minutes, length)
        found.days.append(DayCounts(day.local_start.date(), counts))
    return found


def _hours_of(day: Period) -> Iterator[tuple[datetime, int]]:
    """Give the hours of UTC that a day touches, each with the mask of the minutes that are in the day."""
    hour = day.begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < day.end:
        first = max(0, (day.begin - hour) // _MINUTE)
        end = min(_MINUTES, (day.end - hour) // _MINUTE)
        yield hour, (1 << end) - (1 << first)
        hour += _HOUR


def _mask_until(hour: datetime, now: datetime) -> int:
    """Return the mask of the minutes of an hour that do not begin after `now`."""
    return (1 << max(0, min(_MINUTES, (now - hour) // _MINUTE + 1))) - 1


def _add_gaps(gaps: list[Interval], hour: datetime, expected: int, missing: int, length: timedelta) -> None:
    """Add the missing slots of an hour; a gap that goes on from the one before extends it."""
    if missing and missing == expected:
        first, last = (missing & -missing).bit_length() - 1, missing.bit_length() - 1
        _add_gap(gaps, hour + first * _MINUTE, hour + last * _MINUTE + length)
        return
    while missing:
        minute = (missing & -missing).bit_length() - 1
        missing &= missing - 1
        begin = hour + minute * _MINUTE
        _add_gap(gaps, begin, begin + length)


def _add_gap(gaps: list[Interval], start: datetime, end: datetime) -> None:
    if gaps and gaps[-1].end == start:
        gaps[-1] = Interval(gaps[-1].start, end)
    elif len(gaps) == MAX_GAPS:
        raise TooManyGapsError
    else:
        gaps.append(Interval(start, end))
