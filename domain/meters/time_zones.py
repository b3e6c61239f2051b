"""Time zones by their IANA names, always of the pinned `tzdata`, whatever the machine knows of zones itself."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import tzdata

QUARTER = timedelta(minutes=15)
"""What periods consist of: sums are stored by quarter hours of UTC."""

DEFAULT_ZONE = "UTC"

_FOLDER = Path(tzdata.__file__).parent
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_ZERO = timedelta(0)
_YEAR_BEGIN = (1, 1)


class UnknownZoneError(Exception):
    """No time zone has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name[:64]}' is not the IANA name of a time zone, such as Europe/Berlin.")


class UnsupportedZoneError(Exception):
    """A zone whose clock, near an instant, does not move along the quarter hours of UTC."""

    def __init__(self, name: str, at: datetime) -> None:
        super().__init__(
            f"The clock of {name} was not a multiple of 15 minutes from UTC, was not changed on one, or was put back"
            f" into the day before, about {at:%Y-%m-%d}: quarter hours cannot be added up for it then. Ask for a"
            " period without that day, or for another time zone."
        )


class _Stretch(NamedTuple):
    """A time in which a zone has no days of whole quarter hours of UTC; at a change of its clock it is an instant."""

    begin: datetime
    end: datetime


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    return frozenset((_FOLDER / "zones").read_text("ascii").split())


@lru_cache(maxsize=128)
def zone(name: str) -> ZoneInfo:
    """Return the zone of a name.

    Raises:
        UnknownZoneError: there is none.
    """
    # Only a name on the list becomes a path. ZoneInfo(name) would ask the machine's own files first.
    if name not in zone_names():
        raise UnknownZoneError(name)
    with _FOLDER.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def offset_at(area: ZoneInfo, at: datetime) -> timedelta:
    """Return what a zone's clock is ahead of UTC at an instant."""
    return at.astimezone(area).utcoffset() or _ZERO


def require_quarters(area: ZoneInfo, begin: datetime, end: datetime) -> None:
    """Return only if days from `begin` to `end`, and the days beside them, are whole quarter hours of UTC in a row.

    Raises:
        UnsupportedZoneError: they are not, and sums by quarter hour would be wrong.
    """
    # A clock that is put back at one minute past midnight returns to the day before.
    first, last = begin - _DAY, end + _DAY
    for year in range(first.year, last.year + 1):
        for stretch in _irregular(area.key, year):
            if stretch.begin < last and first <= stretch.end:
                raise UnsupportedZoneError(area.key, stretch.begin)


@lru_cache(maxsize=1024)
def _irregular(name: str, year: int) -> tuple[_Stretch, ...]:
    """Return when in `year` a zone's days are not as they must be; no zone has changed its clock twice in a day."""
    area = zone(name)
    found = []
    day, end = datetime(year, *_YEAR_BEGIN, tzinfo=UTC), datetime(year + 1, *_YEAR_BEGIN, tzinfo=UTC)
    offset = offset_at(area, day)
    while day < end:
        following = day + _DAY
        next_offset = offset_at(area, following)
        if offset % QUARTER or next_offset % QUARTER:
            found.append(_Stretch(day, following))
        elif offset != next_offset:
            change = _change_between(area, day, following)
            if _is_within_quarter(change) or _is_put_back_a_day(area, change):
                found.append(_Stretch(change, change))
        day, offset = following, next_offset
    return tuple(found)


def _change_between(area: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first second with the offset of `after`."""
    changed = offset_at(area, after)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        before, after = (before, middle) if offset_at(area, middle) == changed else (middle, after)
    return after


def _is_within_quarter(at: datetime) -> bool:
    return at.minute % 15 != 0 or at.second != 0


def _is_put_back_a_day(area: ZoneInfo, change: datetime) -> bool:
    """Return whether a part of a day comes again after the next one has begun, as in Antarctica in 2010."""
    return change.astimezone(area).date() < (change - _SECOND).astimezone(area).date()
