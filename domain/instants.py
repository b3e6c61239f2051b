"""Instants and calendar dates: how they are read, written and stored.

Events are ordered by `created_at`, so lenient parsing must never make two instants equal or change their order.
These functions therefore accept less than ISO 8601 allows.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""The first instant accepted."""
LATEST = datetime(2101, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
"""The last instant accepted."""
MILLISECOND = 1000
"""In microseconds."""


_INSTANT = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(?:(Z)|([+-])(\d{2}):(\d{2}))?",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)


class MalformedTimeError(ValueError):
    """Text that is not an instant, or not a date, in the form that the service reads."""


def parse_instant(text: str) -> datetime:
    """Parse `YYYY-MM-DDTHH:MM:SS[.ffffff][Z|±HH:MM]`; without an offset it is UTC.

    More than six fractional digits are refused, because cutting them off would make different instants equal.
    A leap second (`:60`) is refused.

    Raises:
        MalformedTimeError: the text has another form, its day does not exist, or it is outside 2000 to 2100 UTC.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise MalformedTimeError("must be an instant such as 2024-01-31T12:00:00Z")
    *calendar, fraction, _, sign, offset_hours, offset_minutes = match.groups()
    try:
        # Not fromisoformat, which accepts 24:00:00 on some Python versions.
        naive = datetime(*map(int, calendar), int((fraction or "").ljust(6, "0")))  # type: ignore[arg-type,call-arg]  # noqa: DTZ001
        zone = _offset(sign, offset_hours, offset_minutes) if sign else UTC
        instant = naive.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedTimeError("must be an instant that exists, such as 2024-01-31T12:00:00Z") from error
    if not EARLIEST <= instant <= LATEST:
        raise MalformedTimeError("must lie in the years 2000 to 2100")
    return instant


def _offset(sign: str, hours: str, minutes: str) -> timezone:
    if int(minutes) > 59:  # noqa: PLR2004
        raise ValueError(minutes)
    distance = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-distance if sign == "-" else distance)


def parse_date(text: str) -> date:
    """Parse `YYYY-MM-DD`.

    Raises:
        MalformedTimeError: the text has another form, or its day does not exist.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise MalformedTimeError("must be a date such as 2024-01-31")
    try:
        return date(*map(int, match.groups()))
    except ValueError as error:
        raise MalformedTimeError("must be a date that exists, such as 2024-01-31") from error


def format_instant(instant: datetime) -> str:
    """Format an instant as UTC with `Z`, with a fraction only if it is not zero."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def to_micros(instant: datetime) -> int:
    """Return the microseconds since 1970-01-01T00:00:00Z.

    Instants are stored as this number because text does not sort in their order: `00:00:00.5Z` sorts before
    `00:00:00Z`.
    """
    return (instant - EPOCH) // timedelta(microseconds=1)


def whole_milliseconds(micros: int) -> int:
    """Return the whole millisecond at or before an instant: the service notes its own time in these, which take less space."""
    return micros // MILLISECOND * MILLISECOND


def from_micros(micros: int) -> datetime:
    """Return the instant for which `to_micros` returns this number."""
    return EPOCH + timedelta(microseconds=micros)
