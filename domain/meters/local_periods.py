"""Quarter hours, hours, days and months of a time zone, each made of whole quarter hours of UTC."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.meters.readings import Interval
from domain.meters.time_zones import QUARTER, offset_at, require_quarters

_DAY = timedelta(days=1)
_DECEMBER = 12


class Resolution(StrEnum):
    """How closely readings are shown: one by one, or summed up by a period of local time."""

    RAW = "raw"
    QUARTER_HOUR = "quarter_hour"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Period(NamedTuple):
    """A period of a zone, from `begin` up to, but without, `end`, in UTC; `local_start` is its begin in the zone."""

    begin: datetime
    end: datetime
    local_start: datetime


def period_at(area: ZoneInfo, resolution: Resolution, at: datetime) -> Period:
    """Return the period that `at` lies in.

    An hour ends where the clock is changed by less than an hour: the half hour that Lord Howe Island skips or
    repeats makes an hour of thirty minutes. A local date that was left out is no day.

    Raises:
        UnsupportedZoneError: the zone's local times are not whole quarter hours of UTC about then.
    """
    begin, end = _limits(area, resolution, at)
    require_quarters(area, begin, end)
    return Period(begin, end, begin.astimezone(area))


def days_between(area: ZoneInfo, first: date, end: date) -> Iterator[Period]:
    """Give the days from the local date `first` up to, but without, `end`.

    Raises:
        UnsupportedZoneError: the zone's local times are not whole quarter hours of UTC then.
    """
    begin, limit = begin_of(area, first), begin_of(area, end)
    require_quarters(area, begin, limit)
    while begin < limit:
        day = period_at(area, Resolution.DAY, begin)
        yield day
        begin = day.end


def begin_of(area: ZoneInfo, day: date) -> datetime:
    """Return the first instant, in UTC, of a local date; of one that was left out, that of the date after it."""
    at = datetime.combine(day, time(), tzinfo=area).astimezone(UTC)
    # Where the clock skips midnight, the local time that was meant lies on the wrong side of the change.
    while (at - QUARTER).astimezone(area).date() >= day:
        at -= QUARTER
    while at.astimezone(area).date() < day:
        at += QUARTER
    return at


def _limits(area: ZoneInfo, resolution: Resolution, at: datetime) -> Interval:
    match resolution:
        case Resolution.QUARTER_HOUR:
            begin = _quarter_of(at)
            return Interval(begin, begin + QUARTER)
        case Resolution.HOUR:
            return _hour_of(area, _quarter_of(at))
        case Resolution.DAY:
            day = at.astimezone(area).date()
            return Interval(begin_of(area, day), begin_of(area, day + _DAY))
        case Resolution.MONTH:
            month = at.astimezone(area).date().replace(day=1)
            return Interval(begin_of(area, month), begin_of(area, _month_after(month)))
        case Resolution.RAW:
            raise ValueError("single readings have no period")


def _quarter_of(at: datetime) -> datetime:
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def _hour_of(area: ZoneInfo, quarter: datetime) -> Interval:
    offset = offset_at(area, quarter)
    begin, end = quarter, quarter + QUARTER
    while begin.astimezone(area).minute and offset_at(area, begin - QUARTER) == offset:
        begin -= QUARTER
    while offset_at(area, end) == offset and end.astimezone(area).minute:
        end += QUARTER
    return Interval(begin, end)


def _month_after(month: date) -> date:
    return date(month.year + 1, 1, 1) if month.month == _DECEMBER else date(month.year, month.month + 1, 1)
