"""The periods that may be exported, and the instants as of which readings may be asked for."""

from datetime import date, datetime, timedelta

from domain.instants import EARLIEST, LATEST
from domain.meters.readings import Interval

MIN_LENGTH = timedelta(minutes=1)
MAX_LENGTH = timedelta(days=366)

_YEARS = "must not name days outside the years 2000 to 2100"


class PeriodError(Exception):
    """A period that cannot be exported; `field` is the one to correct."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")


def check_period(period: Interval, now: datetime) -> None:
    """Refuse a period that no export may have.

    Raises:
        PeriodError: it begins or ends in the future, ends before it begins, or is too short or long.
    """
    if period.start >= now:
        raise PeriodError("start_datetime", "must be in the past")
    if period.end <= period.start:
        raise PeriodError("end_datetime", "must be after start_datetime")
    if period.end > now:
        raise PeriodError("end_datetime", "must not be in the future")
    if period.end - period.start < MIN_LENGTH:
        raise PeriodError("end_datetime", "must be at least 1 minute after start_datetime")
    if period.end - period.start > MAX_LENGTH:
        raise PeriodError("end_datetime", "must be at most 366 days after start_datetime")


def check_days(first: date, end: date) -> None:
    """Refuse days, from `first` up to, but without, `end`, that one answer may not have.

    Raises:
        PeriodError: there are none, or too many, or they are outside 2000 to 2100.
    """
    if first < EARLIEST.date():
        raise PeriodError("from", _YEARS)
    if end > LATEST.date() + timedelta(days=1):
        raise PeriodError("to", _YEARS)
    if end <= first:
        raise PeriodError("to", "must be after from")
    if end - first > MAX_LENGTH:
        raise PeriodError("to", f"must be at most {MAX_LENGTH.days} days after from")


def check_known_at(known_at: datetime | None, now: datetime) -> None:
    """Refuse to say what will have been known.

    Raises:
        PeriodError: `known_at` lies in the future.
    """
    if known_at is not None and known_at > now:
        raise PeriodError("known_at", "must not be in the future")
