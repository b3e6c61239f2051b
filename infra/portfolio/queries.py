"""Reads the portfolio: which spans are active on a day, how many, and which start or end in a period."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.contracts.events import Component
from domain.portfolio.entries import SHARDS, Counts, Order, Partition, Row, counts_on
from infra.parallel import in_parallel
from infra.portfolio.portfolio_items import (
    AFTER_DATE,
    AFTER_ONE,
    Item,
    counter_partition,
    partition_key,
    read_counters,
    read_row,
    sort_key,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_QUERIES_AT_ONCE = 10
"""Threads; the client keeps ten connections."""
_QUERIES_OF_A_PARTITION = 4
"""For one page; after them the page ends early, and its cursor continues."""
_ROWS_FILTERED_AT_ONCE = 1000
_LAST_DATE = "9999-12-31" + AFTER_DATE


class Kind(StrEnum):
    """Whether a span starts or ends on the day by which it is listed."""

    START = "start"
    END = "end"


class Found(NamedTuple):
    """Some rows, and the position after which the next page starts, if any."""

    rows: list[Row]
    next_after: str | None


class Change(NamedTuple):
    """A span that starts or ends on a day."""

    date: date
    number: str
    row: Row
    kind: Kind

    @property
    def position(self) -> tuple[str, str, str, str]:
        """The position in the order of changes, by date first; it is unique."""
        return self.date.isoformat(), self.number, self.row.partition.component, self.kind


class FoundChanges(NamedTuple):
    """Some changes by date, and the position after which the next page starts, if any."""

    changes: list[Change]
    next_after: str | None


class _Part(NamedTuple):
    """Some rows of a partition, and the sort key up to which it was read, if more may follow."""

    rows: list[Row]
    read_to: str


class PortfolioQueries:
    """Reads the portfolio of one table, eventually consistent."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def active(self, components: Sequence[Component], on: date, limit: int, after: str | None) -> Found:
        """List up to `limit` spans that are active on a day, none twice; fewer if many others have to be skipped.

        The partitions follow each other in a fixed order; those of one component and order are read in parallel.
        """
        partitions = [
            Partition(component, order, shard)
            for component in components
            for order in (Order.OPEN, Order.BY_END)
            for shard in range(SHARDS)
        ]
        begin, _, last_key = (after or "0 ").partition(" ")
        index, rows = int(begin), list[Row]()
        while index < len(partitions):
            wave = partitions[index : index + SHARDS - index % SHARDS]
            for part in self._active_parts(wave, last_key, on, limit - len(rows)):
                taken = part.rows[: limit - len(rows)]
                rows += taken
                if len(taken) < len(part.rows) or (len(rows) == limit and part.read_to):
                    return Found(rows, f"{index} {sort_key(taken[-1].date, taken[-1].number)}")
                if part.read_to:
                    return Found(rows, f"{index} {part.read_to}")
                index += 1
                if len(rows) == limit:
                    return Found(rows, f"{index} " if index < len(partitions) else None)
            last_key = ""
        return Found(rows, None)

    def _active_parts(self, wave: Sequence[Partition], after: str, on: date, wanted: int) -> list[_Part]:
        """Read partitions in parallel, the first of them from `after` on."""
        starts = [(partition, "" if place else after) for place, partition in enumerate(wave)]
        return in_parallel(lambda start: [self._active_in(*start, on, wanted)], starts, _QUERIES_AT_ONCE)

    def _active_in(self, partition: Partition, after: str, on: date, wanted: int) -> _Part:
        """Read `wanted` rows of a partition that are active on a day, or as many as a few queries find."""
        day = on.isoformat()
        is_open = partition.order is Order.OPEN
        first, upper = ("0", day + AFTER_DATE) if is_open else (day, _LAST_DATE)
        query = self._between(partition_key(partition), after + AFTER_ONE if after else first, upper)
        if not is_open:
            query["FilterExpression"] = "#start <= :on"
            query["ExpressionAttributeNames"]["#start"] = "start"
            query["ExpressionAttributeValues"][":on"] = {"S": day}
        rows: list[Row] = []
        last: Any = None
        for number in range(_QUERIES_OF_A_PARTITION):
            query["Limit"] = wanted if number == 0 else _ROWS_FILTERED_AT_ONCE
            answer = self.client.query(**query)
            rows += map(read_row, answer["Items"])
            last = query["ExclusiveStartKey"] = answer.get("LastEvaluatedKey")
            if last is None:
                return _Part(rows, "")
            if len(rows) >= wanted:
                break
        return _Part(rows, last["sk"]["S"])

    def changes(
        self,
        components: Sequence[Component],
        kinds: Sequence[Kind],
        days: tuple[date, date],
        limit: int,
        after: str | None,
    ) -> FoundChanges:
        """List up to `limit` spans that start or end within `days`, a first day and the day after the last, by date."""
        last = tuple(after.split(" ")) if after else None
        orders = {Kind.START: (Order.OPEN, Order.BY_START), Kind.END: (Order.BY_END,)}
        asked = [
            (Partition(component, order, shard), kind)
            for component in components
            for kind in kinds
            for order in orders[kind]
            for shard in range(SHARDS)
        ]

        def read(asked: tuple[Partition, Kind]) -> list[list[Change]]:
            partition, kind = asked
            lower = days[0].isoformat()
            if last is not None:
                is_behind = (partition.component, kind) <= last[2:]
                lower = f"{last[0]}#{last[1]}" + (AFTER_ONE if is_behind else "")
            query = self._between(partition_key(partition), lower, days[1].isoformat())
            answer = self.client.query(**query, Limit=limit + 1)
            rows = map(read_row, answer["Items"])
            return [[Change(row.date, row.number, row, kind) for row in rows]]

        found = in_parallel(read, asked, _QUERIES_AT_ONCE)
        changes = list(islice(merge(*found, key=lambda change: change.position), limit + 1))
        next_after = " ".join(changes[limit - 1].position) if len(changes) > limit else None
        return FoundChanges(changes[:limit], next_after)

    def counts(self, on: date) -> dict[Component, Counts]:
        """Count the spans of each component for a day, exactly."""
        asked = [(component, shard) for component in Component for shard in range(SHARDS)]
        read = in_parallel(lambda one: [(one[0], self.counters(*one))], asked, _QUERIES_AT_ONCE)
        months: dict[Component, dict[str, Counter[str]]] = {component: {} for component in Component}
        for component, counted in read:
            for month, counts in counted.items():
                months[component].setdefault(month, Counter()).update(counts)
        return {component: counts_on(on, months[component]) for component in Component}

    def counters(self, component: Component, shard: int) -> dict[str, dict[str, int]]:
        """Read the counters of a shard of a component's spans, by month."""
        query: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": "pk"},
            "ExpressionAttributeValues": {":pk": {"S": counter_partition(component, shard)}},
        }
        return {item["sk"]["S"]: read_counters(item) for item in self._all(query)}

    def _all(self, query: dict[str, Any]) -> Iterator[Item]:
        for page in self.client.get_paginator("query").paginate(**query):
            yield from page["Items"]

    def _between(self, partition: str, lower: str, upper: str) -> dict[str, Any]:
        return {
            "TableName": self.table,
            "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :lower AND :upper",
            "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
            "ExpressionAttributeValues": {
                ":pk": {"S": partition},
                ":lower": {"S": lower},
                ":upper": {"S": upper},
            },
        }
