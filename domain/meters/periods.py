"""The periods that may be exported."""

from datetime import datetime, timedelta

from domain.meters.readings import Interval

SHORTEST = timedelta(minutes=1)
LONGEST = timedelta(days=366)


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
    if period.end - period.start < SHORTEST:
        raise PeriodError("end_datetime", "must be at least 1 minute after start_datetime")
    if period.end - period.start > LONGEST:
        raise PeriodError("end_datetime", "must be at most 366 days after start_datetime")
