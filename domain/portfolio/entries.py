"""The portfolio's entry of one contract, and the rows and counters that are derived from it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple
from zlib import crc32

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.timelines import timeline

SHARDS = 8
"""Partitions over which the contracts are spread: 1,000 changes a second are 250 write units for each."""


class KnownSpan(NamedTuple):
    """The first and the last day on which a component is active; without an end, until further notice."""

    start: date
    end: date | None

    def is_active(self, on: date) -> bool:
        """Return whether the component is active on a day."""
        return self.start <= on and (self.end is None or on <= self.end)


@dataclass(frozen=True, slots=True)
class Entry:
    """The spans of a contract as of one `version` of it; none if it was deleted or nothing has started."""

    number: str
    version: int
    spans: Mapping[Component, KnownSpan] = field(default_factory=dict)

    @classmethod
    def of(cls, number: str, version: int, contract: Contract | None) -> "Entry":
        """Return the entry of the contract `number`; `contract` is None if it was deleted."""
        dates = timeline(contract) if contract else {}
        return cls(
            number,
            version,
            {
                component: KnownSpan(start, end)
                for component, (start, end) in dates.items()
                if start is not None
            },
        )


class Order(StrEnum):
    """Which spans a partition contains, and by which date they are sorted."""

    OPEN = "open"
    """Without an end, by start."""
    BY_END = "by_end"
    """With an end, by end."""
    BY_START = "by_start"
    """With an end, by start."""


class Partition(NamedTuple):
    """One shard of the rows of a component in one order."""

    component: Component
    order: Order
    shard: int


class Row(NamedTuple):
    """A span in one of the orders in which spans are listed."""

    partition: Partition
    number: str
    span: KnownSpan

    @property
    def date(self) -> date:
        """The date by which the row is sorted."""
        return self.span.end if self.partition.order is Order.BY_END and self.span.end else self.span.start


def shard_of(number: str) -> int:
    """Return the shard of a contract."""
    return crc32(number.encode()) % SHARDS


def rows_of(entry: Entry | None) -> frozenset[Row]:
    """Return the rows of the spans of a contract."""
    if entry is None:
        return frozenset()
    shard = shard_of(entry.number)
    return frozenset(
        Row(Partition(component, order, shard), entry.number, span)
        for component, span in entry.spans.items()
        for order in ((Order.OPEN,) if span.end is None else (Order.BY_END, Order.BY_START))
    )


class CounterKey(NamedTuple):
    """Identifies the counters of one month: how many spans of a component start and end on each of its days."""

    component: Component
    shard: int
    month: str


DayCounts = Mapping[str, int]
"""How many spans start (`s01` to `s31`) and end (`e01` to `e31`) on the days of a month."""


def counters_of(entry: Entry | None) -> dict[CounterKey, Counter[str]]:
    """Return what the spans of a contract add to the counters."""
    found: dict[CounterKey, Counter[str]] = {}
    for component, span in entry.spans.items() if entry else ():
        for letter, day in (("s", span.start), ("e", span.end)):
            if day is not None:
                key = CounterKey(component, shard_of(entry.number if entry else ""), f"{day:%Y-%m}")
                found.setdefault(key, Counter())[f"{letter}{day.day:02}"] += 1
    return found


def counter_changes(before: Entry | None, after: Entry | None) -> dict[CounterKey, dict[str, int]]:
    """Return what a change of an entry adds to the counters, without zeros."""
    changes: dict[CounterKey, Counter[str]] = {}
    for entry, sign in ((before, -1), (after, 1)):
        for key, counts in counters_of(entry).items():
            for name, count in counts.items():
                changes.setdefault(key, Counter())[name] += sign * count
    nonzero = {
        key: {name: count for name, count in counts.items() if count} for key, counts in changes.items()
    }
    return {key: counts for key, counts in nonzero.items() if counts}


class Counts(NamedTuple):
    """How many spans of a component are active on a day, start after it, and ended before it."""

    active: int
    upcoming: int
    ended: int


def counts_on(on: date, months: Mapping[str, DayCounts]) -> Counts:
    """Add up the counters of a component's months, named `2024-01`, for a day."""
    active = upcoming = ended = 0
    month, day = f"{on:%Y-%m}", on.day
    for name, counts in months.items():
        for counter, count in counts.items():
            at = (name, int(counter[1:]))
            if counter[0] == "s":
                upcoming += count if at > (month, day) else 0
                active += count if at <= (month, day) else 0
            elif at < (month, day):
                ended += count
    return Counts(active - ended, upcoming, ended)
