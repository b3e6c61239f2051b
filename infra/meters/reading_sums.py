"""Reads the sums and counts that are stored with each hour; and lines only if those are not enough."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from domain.meters.completeness import FULL_HOUR, HourPresence, minutes_of
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from domain.meters.summaries import HourSums
from domain.meters.sums import sum_quarters
from domain.meters.time_zones import QUARTER
from infra.meters.reading_items import HourFacts, to_facts
from infra.meters.reading_queries import Block, ReadingQueries, is_changed_after
from infra.parallel import in_parallel

_HOUR = timedelta(hours=1)
_HOUR_LENGTH = 13  # of `2024-01-01T00`
_SIMULATED_QUARTERS = dict.fromkeys(range(4), 15)
# The cost of the sums of an hour, in bytes of lines that are summed.
_HOUR_COST = 4_000
_STORED_SUMS_COST = 1_000
_STORED_READING_COST = 16  # DynamoDB reads the whole item, although its lines are not returned
_PAST_COST = 40_000  # a query for past versions
_HOURS_AT_ONCE = 24
"""Hours whose lines are read by one query."""
_PART = timedelta(days=31)
_PARTS_AT_ONCE = 6

_T = TypeVar("_T")


class SumQueries(ReadingQueries):
    """Reads sums of the readings of one table."""

    def sums(self, meter: Meter, interval: Interval, known_at: datetime | None = None) -> Iterator[HourSums]:
        """Yield the sums of each hour in `interval` that has readings, by quarter."""
        if meter.kind is MeterKind.SIMULATED:
            for lines in simulate(meter.id, interval):
                yield HourSums(_begin_of(lines), sum_quarters(lines), _HOUR_COST + len(lines))
            return
        for items in _batched(self._hours(meter.id, interval.timestamps, ["sk", "facts"]), _HOURS_AT_ONCE):
            stored = {_begin_of(item["sk"]["S"].removeprefix("HOUR#")): to_facts(item) for item in items}
            found = {
                begin: sums
                for begin, facts in stored.items()
                if facts and (sums := _stored_sums(begin, facts, _part_of(begin, interval), known_at))
            }
            if others := [begin for begin in stored if begin not in found]:
                span = Interval(max(others[0], interval.start), min(others[-1] + _HOUR, interval.end))
                found |= self._summed(meter, span, known_at, {begin: stored[begin] for begin in others})
            for begin in stored:
                if begin in found and found[begin].quarters:
                    yield found[begin]

    def _summed(
        self,
        meter: Meter,
        span: Interval,
        known_at: datetime | None,
        hours: Mapping[datetime, HourFacts | None],
    ) -> dict[datetime, HourSums]:
        """Sum the lines of `hours`, which are in `span`."""
        found = {}
        for block in self.blocks(meter, span, known_at):
            begin = _begin_of(block.lines)
            if begin in hours:
                facts = hours[begin]
                changed = facts is not None and is_changed_after(facts.changed_at, known_at)
                cost = _HOUR_COST + len(block.lines) + (_PAST_COST if changed else 0)
                found[begin] = HourSums(begin, _sum_block(block), cost)
        return found

    def presence(self, meter: Meter, interval: Interval) -> list[HourPresence]:
        """Return how many readings the hours that `interval` touches have, and in which minutes.

        Months are read in parallel: the pages of DynamoDB count the lines too, of which a meter of seconds has many.
        """
        if meter.kind is MeterKind.SIMULATED:
            return [HourPresence(hour, _SIMULATED_QUARTERS, FULL_HOUR) for hour in _hours_in(interval)]
        return in_parallel(
            lambda part: list(self._presence(meter, part)), _parts_of(interval), _PARTS_AT_ONCE
        )

    def _presence(self, meter: Meter, interval: Interval) -> Iterator[HourPresence]:
        for items in _batched(self._hours(meter.id, interval.timestamps, ["sk", "facts"]), _HOURS_AT_ONCE):
            without: list[datetime] = []
            for item in items:
                begin = _begin_of(item["sk"]["S"].removeprefix("HOUR#"))
                facts = to_facts(item)
                if facts is None or facts.sums is None:
                    without.append(begin)
                else:
                    readings = {quarter: sums.readings for quarter, sums in facts.sums.items()}
                    yield HourPresence(begin, readings, facts.minutes)
            if without:
                span = Interval(without[0], without[-1] + _HOUR)
                for block in self.blocks(meter, span):
                    if (begin := _begin_of(block.lines)) in without:
                        yield HourPresence(begin, _count_quarters(block.lines), minutes_of(block.lines))


def _stored_sums(
    begin: datetime, facts: HourFacts, part: Interval, known_at: datetime | None
) -> HourSums | None:
    """Return the stored sums of a part of an hour, or None where its lines are needed.

    They are if its sums are not stored, if it is cut within a quarter, or if it has changed since `known_at`.
    """
    is_cut = any(at.minute % 15 or at.second or at.microsecond for at in part)
    if facts.sums is None or is_cut or is_changed_after(facts.changed_at, known_at):
        return None
    inside = {
        quarter: sums
        for quarter, sums in facts.sums.items()
        if part.start <= begin + quarter * QUARTER < part.end
    }
    return HourSums(begin, inside, _STORED_SUMS_COST + _STORED_READING_COST * facts.readings)


def _sum_block(block: Block) -> Mapping[int, Any]:
    count = block.lines.count(b"\n")
    qualities = [origin.quality for origin in block.origins]
    return sum_quarters(block.lines, qualities if len(qualities) == count else qualities * count)


def _count_quarters(lines: bytes) -> Mapping[int, int]:
    return Counter(int(line[14:16]) // 15 for line in lines.splitlines())


def _begin_of(text: str | bytes) -> datetime:
    """Return the start of an hour, given its name or its lines."""
    name = text[:_HOUR_LENGTH]
    return datetime.fromisoformat((name if isinstance(name, str) else name.decode()) + ":00:00+00:00")


def _part_of(begin: datetime, interval: Interval) -> Interval:
    return Interval(max(begin, interval.start), min(begin + _HOUR, interval.end))


def _hours_in(interval: Interval) -> Iterator[datetime]:
    hour = interval.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < interval.end:
        yield hour
        hour += _HOUR


def _parts_of(interval: Interval) -> Iterator[Interval]:
    begin = interval.start
    while begin < interval.end:
        end = min(begin + _PART, interval.end)
        yield Interval(begin, end)
        begin = end


def _batched(items: Iterable[_T], count: int) -> Iterator[Sequence[_T]]:
    rest = iter(items)
    while batch := list(islice(rest, count)):
        yield batch
