"""Sums and means of readings by local period, from the sums of quarter hours; the cost of one answer is limited."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.meters.local_periods import Period, Resolution, period_at
from domain.meters.readings import Quality
from domain.meters.sums import Sums, add, mean
from domain.meters.time_zones import QUARTER

ENOUGH_COST = 24_000_000
"""Cost of the hours that are summed before an answer ends with the period: more than a year of minutes with stored
sums, two weeks of seconds; four months of minutes that have to be made or read line by line."""
MAX_COST = 2 * ENOUGH_COST
"""Cost of the hours after which an answer ends within a period, which the next one goes on with: more than a month
of seconds with stored sums."""


class HourSums(NamedTuple):
    """The sums of an hour of UTC by quarter (0 to 3), or of the part that is asked for, and the cost of reading them.

    The unit of cost is a byte of lines that are summed; reading stored sums costs less.
    """

    hour: datetime
    quarters: Mapping[int, Sums]
    cost: int

    def by_time(self) -> Iterator[tuple[datetime, Sums]]:
        """Yield the sums with the starts of the quarters."""
        for quarter in sorted(self.quarters):
            yield self.hour + quarter * QUARTER, self.quarters[quarter]


class Summary(NamedTuple):
    """The readings of one period: energy in sum, the rest in the mean, None where none had the value."""

    period: Period
    energy_kwh: Decimal | None
    power_kw: Decimal | None
    voltage_v: Decimal | None
    current_a: Decimal | None
    readings: int
    qualities: Mapping[Quality, int]


class Begun(NamedTuple):
    """A period that is summed in part: an instant in it, and the sums so far."""

    at: datetime
    sums: Sums


class Position(NamedTuple):
    """Where the next page starts: the hours from `start` have to be summed, after what was `begun`."""

    start: datetime
    begun: Begun | None = None


class SummaryPage(NamedTuple):
    """Some summaries in the order of time, and the position at which the next page starts, if any."""

    summaries: list[Summary]
    following: Position | None


@dataclass
class _Open:
    """A period whose sums are still arriving."""

    period: Period
    parts: list[Sums] = field(default_factory=list)

    def begun(self) -> Begun:
        return Begun(self.period.begin, add(self.parts))

    def summary(self) -> Summary:
        sums = add(self.parts)
        energy, *others = zip(sums.totals, sums.counts, strict=True)
        power, voltage, current = (mean(*other) for other in others)
        total = energy[0] if energy[1] else None
        return Summary(self.period, total, power, voltage, current, sums.readings, sums.qualities)


def summarise(
    hours: Iterable[HourSums],
    area: ZoneInfo,
    resolution: Resolution,
    limit: int,
    begun: Begun | None = None,
) -> SummaryPage:
    """Sum up `hours`, in the order of time, by the periods of a zone, after what an earlier page has `begun`.

    The page ends after `limit` periods, or with the period in which `ENOUGH_COST` is reached, or within a period
    at `MAX_COST`.

    Raises:
        UnsupportedZoneError: the zone's local times are not whole quarter hours of UTC about then.
    """
    summaries: list[Summary] = []
    opened = _Open(period_at(area, resolution, begun.at), [begun.sums]) if begun else None
    cost = 0
    for hour in hours:
        if cost >= MAX_COST:
            return SummaryPage(summaries, Position(hour.hour, opened.begun() if opened else None))
        cost += hour.cost
        for at, sums in hour.by_time():
            if opened and at >= opened.period.end:
                summaries.append(opened.summary())
                opened = None
                if len(summaries) == limit or cost >= ENOUGH_COST:
                    return SummaryPage(summaries, Position(at))
            opened = opened or _Open(period_at(area, resolution, at))
            opened.parts.append(sums)
    return SummaryPage([*summaries, opened.summary()] if opened else summaries, None)


def stream_summaries(
    hours: Iterable[HourSums], area: ZoneInfo, resolution: Resolution
) -> Iterator[tuple[datetime, list[Summary]]]:
    """Yield with each hour the summaries of the periods that end before it, and finally the rest.

    Raises:
        UnsupportedZoneError: the zone's local times are not whole quarter hours of UTC about then.
    """
    opened: _Open | None = None
    for hour in hours:
        finished = []
        for at, sums in hour.by_time():
            if opened and at >= opened.period.end:
                finished.append(opened.summary())
                opened = None
            opened = opened or _Open(period_at(area, resolution, at))
            opened.parts.append(sums)
        yield hour.hour, finished
    if opened:
        yield opened.period.begin, [opened.summary()]
