"""Readings for tests."""

from collections.abc import Iterator
from datetime import datetime

from domain.meters.readings import Interval, Quality, Reading, format_timestamp
from domain.meters.simulation import simulate
from domain.meters.summaries import HourSums
from domain.meters.sums import sum_quarters


def reading(at: datetime, *values: str, quality: Quality = Quality.MEASURED, created_at: int = 0) -> Reading:
    """Return a reading of `at`; fewer than four values are the first ones, and the others are empty."""
    padded = (*values, "", "", "", "")[:4]
    return Reading(format_timestamp(at), *padded, quality, created_at)  # type: ignore[arg-type,call-arg]


def simulated_sums(interval: Interval) -> Iterator[HourSums]:
    """Give the sums of the simulated meter's hours."""
    for lines in simulate("123", interval):
        yield HourSums(hour_begin(lines), sum_quarters(lines), 1)


def hour_begin(lines: bytes) -> datetime:
    """Return the begin of the hour of UTC that lines are of."""
    return datetime.fromisoformat(lines[:13].decode() + ":00:00+00:00")
