"""Sums and means of readings by UTC hour or day, bounded by how much of the readings is read for them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple


class Resolution(StrEnum):
    """How closely readings are shown."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"


_PERIODS: Mapping[Resolution, tuple[int, str]] = {
    # As much of a timestamp as names the period, and what completes it to its beginning.
    Resolution.HOUR: (13, ":00:00+00:00"),
    Resolution.DAY: (10, "T00:00:00+00:00"),
}
_MEAN_STEP = Decimal("0.000001")
# A sum is exact: numbers reach from 10^8 down to the thirtieth digit of 10^-30.
_EXACT = Context(prec=100)

MOST_BYTES = 24_000_000
"""Bytes of readings that are summed before an answer ends with the period: five days of seconds, four months of minutes."""
HOUR_BYTES = 4_000
"""Bytes that an hour counts besides its lines, for what reading it costs."""


class Summary(NamedTuple):
    """The readings of one UTC hour or day: energy in sum, the rest in the mean, and how many they are."""

    at: datetime
    energy_kwh: Decimal
    power_kw: Decimal
    voltage_v: Decimal
    current_a: Decimal
    readings: int


class SummaryPage(NamedTuple):
    """Some summaries in the order of time, and the begin of the period to go on with, if any."""

    summaries: list[Summary]
    next_start: datetime | None


def summarise(blocks: Iterable[bytes], resolution: Resolution, limit: int) -> SummaryPage:
    """Sum up `blocks`, the hours of a meter in the order of time, by hour or by day.

    The page ends after `limit` periods, or with the period in which `MOST_BYTES` are reached.
    """
    length, rest = _PERIODS[resolution]
    summaries: list[Summary] = []
    touched = 0
    for period, hours in groupby(blocks, lambda block: block[:length]):
        at = datetime.fromisoformat(period.decode() + rest)
        if len(summaries) == limit or touched >= MOST_BYTES:
            return SummaryPage(summaries, at)
        rows = 0
        totals = [Decimal(0)] * 4
        with localcontext(_EXACT):
            for hour in hours:
                touched += len(hour) + HOUR_BYTES
                columns = _columns_of(hour)
                rows += len(columns[0])
                totals = [
                    sum(map(Decimal, column), total) for column, total in zip(columns, totals, strict=True)
                ]
            energy, *others = totals
            power, voltage, current = ((total / rows).quantize(_MEAN_STEP) for total in others)
            summaries.append(Summary(at, energy, power, voltage, current, rows))
    return SummaryPage(summaries, None)


def _columns_of(block: bytes) -> list[tuple[str, ...]]:
    lines = block.decode().splitlines()
    return list(zip(*(line.split(",")[2:] for line in lines), strict=True))
