"""Compares the portfolio's counters with the rows that they count, while both may change."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from domain.contracts.events import Component
from domain.portfolio.entries import SHARDS, Entry, Order, Partition, counters_of
from infra.parallel import in_parallel
from infra.portfolio.portfolio_items import (
    CHANGES,
    counter_partition,
    partition_key,
    read_counters,
    read_row,
)
from infra.portfolio.portfolio_store import PortfolioStore
from infra.write_outcomes import Refused

_ATTEMPTS = 10
_PAUSE_SECONDS = 0.2
_THREADS = 4

# Conditions of replacing a month's counters: they have not changed since they were read.
IS_STILL_ABSENT = "attribute_not_exists(#changes)"
IS_UNCHANGED = "#changes = :changes"

Months = dict[str, dict[str, int]]


class _Seen(NamedTuple):
    """The counters of a shard of a component's spans, and how often each month was written."""

    months: Months
    changes: dict[str, int]


@dataclass
class CounterCheck:
    """Compares, and with `repair` corrects, all counters.

    Every change of a row changes a counter of the same shard. So if no counter was written while the rows were
    read, both belong to the same moment; otherwise they are read again.
    """

    portfolio: PortfolioStore
    repair: bool
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> list[str]:
        """Return the differences that were found."""
        shards = [(component, shard) for component in Component for shard in range(SHARDS)]
        return in_parallel(lambda shard: list(self._check(*shard)), shards, _THREADS)

    def _check(self, component: Component, shard: int) -> Iterator[str]:
        found = False
        for _ in range(_ATTEMPTS):
            seen = self._read(component, shard)
            truth = self._truth(component, shard)
            if self._read(component, shard) != seen:
                self.sleep(_PAUSE_SECONDS)
                continue
            wrong = [
                month
                for month in truth.keys() | seen.months.keys()
                if truth.get(month) != seen.months.get(month)
            ]
            if not wrong:
                break
            if not found:
                yield f"counters of {component}, shard {shard}: {', '.join(sorted(wrong))}"
            found = True
            if not self.repair:
                break
            for month in wrong:
                self._replace(component, shard, month, truth.get(month, {}), seen.changes.get(month))
        else:
            yield f"counters of {component}, shard {shard}: changed during every attempt to compare them"

    def _truth(self, component: Component, shard: int) -> Months:
        """Count the rows."""
        months: dict[str, Counter[str]] = {}
        for order in (Order.OPEN, Order.BY_END):
            for item in self._query(partition_key(Partition(component, order, shard))):
                row = read_row(item)
                for key, counts in counters_of(Entry(row.number, 0, {component: row.span})).items():
                    months.setdefault(key.month, Counter()).update(counts)
        return {month: dict(counts) for month, counts in months.items()}

    def _read(self, component: Component, shard: int) -> _Seen:
        items = list(self._query(counter_partition(component, shard)))
        months = {item["sk"]["S"]: counts for item in items if (counts := read_counters(item))}
        return _Seen(months, {item["sk"]["S"]: int(item[CHANGES]["N"]) for item in items})

    def _replace(
        self, component: Component, shard: int, month: str, counts: dict[str, int], changes: int | None
    ) -> bool:
        """Store the counters of a month if they have not changed since; the caller compares again anyway."""
        request: dict[str, Any] = {
            "TableName": self.portfolio.table,
            "Item": {
                "pk": {"S": counter_partition(component, shard)},
                "sk": {"S": month},
                CHANGES: {"N": str((changes or 0) + 1)},
            }
            | {name: {"N": str(count)} for name, count in counts.items()},
            "ConditionExpression": IS_STILL_ABSENT if changes is None else IS_UNCHANGED,
            "ExpressionAttributeNames": {"#changes": CHANGES},
        }
        if changes is not None:
            request["ExpressionAttributeValues"] = {":changes": {"N": str(changes)}}
        return not isinstance(self.portfolio.writer.put(**request), Refused)

    def _query(self, partition: str) -> Iterator[Any]:
        pages = self.portfolio.client.get_paginator("query").paginate(
            TableName=self.portfolio.table,
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames={"#pk": "pk"},
            ExpressionAttributeValues={":pk": {"S": partition}},
            ConsistentRead=True,
        )
        for page in pages:
            yield from page["Items"]
