"""Sums and means of readings by UTC hour or day, from the sums of hours; one answer is bounded."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from domain.meters.readings import Quality
from domain.meters.sums import Sums, add, mean


class Resolution(StrEnum):
    """How closely readings are shown."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"


_PERIODS: Mapping[Resolution, tuple[int, str]] = {
    # As much of an hour's name as names the period, and what completes it to its beginning.
    Resolution.HOUR: (13, ":00:00+00:00"),
    Resolution.DAY: (10, "T00:00:00+00:00"),
}

MAX_COST = 24_000_000
"""Cost of the hours that are summed before an answer ends with the period: some years of minutes with stored sums,
two weeks of seconds; four months of minutes that have to be made or read line by line."""


class HourSums(NamedTuple):
    """The sums of the readings of an hour, or of the part that is asked for, and what getting them cost.

    The unit of cost is a byte of lines that are summed; reading stored sums costs less.
    """

    hour: str
    sums: Sums
    cost: int


class Summary(NamedTuple):
    """The readings of one UTC hour or day: energy in sum, the rest in the mean, None where none had the value."""

    at: datetime
    energy_kwh: Decimal | None
    power_kw: Decimal | None
    voltage_v: Decimal | None
    current_a: Decimal | None
    readings: int
    qualities: Mapping[Quality, int]


class SummaryPage(NamedTuple):
    """Some summaries in the order of time, and the begin of the period to go on with, if any."""

    summaries: list[Summary]
    next_start: datetime | None


def summarise(hours: Iterable[HourSums], resolution: Resolution, limit: int) -> SummaryPage:
    """Sum up `hours`, in the order of time, by hour or by day.

    The page ends after `limit` periods, or with the period in which `MAX_COST` is reached.
    """
    length, rest = _PERIODS[resolution]
    summaries: list[Summary] = []
    cost = 0
    for period, group in groupby(hours, lambda hour: hour.hour[:length]):
        at = datetime.fromisoformat(period + rest)
        if len(summaries) == limit or cost >= MAX_COST:
            return SummaryPage(summaries, at)
        parts = list(group)
        cost += sum(part.cost for part in parts)
        summaries.append(_summary_of(at, add(part.sums for part in parts)))
    return SummaryPage(summaries, None)


def _summary_of(at: datetime, sums: Sums) -> Summary:
    energy, *others = zip(sums.totals, sums.counts, strict=True)
    power, voltage, current = (mean(*other) for other in others)
    total = energy[0] if energy[1] else None
    return Summary(at, total, power, voltage, current, sums.readings, sums.qualities)
