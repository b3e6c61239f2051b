"""The DynamoDB items of the portfolio.

For each contract an entry (pk `CONTRACT#number`), with the version that it was derived from; for each span a row in
each order in which rows are listed (pk `OPEN#component#shard`, sk `date#number`); for each component, shard and
month the counters of its days (pk `COUNT#component#shard`, sk `2024-01`).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from domain.contracts.events import Component
from domain.portfolio.entries import CounterKey, Entry, KnownSpan, Order, Partition, Row

Item = Mapping[str, Any]
Key = dict[str, Any]

AFTER_ONE = "!"
"""Sorts after what it is appended to and before every longer text: no contract number has a smaller character."""
AFTER_DATE = "$"
"""Sorts after all rows of the date that it is appended to: it is greater than `#`, which separates date and number."""

CHANGES = "changes"
"""Counts the writes of a month's counters, so that a second read shows whether they have changed."""

_ENTRY = "ENTRY"


def entry_key(number: str) -> Key:
    """Return the primary key of a contract's entry."""
    return {"pk": {"S": f"CONTRACT#{number}"}, "sk": {"S": _ENTRY}}


def entry_item(entry: Entry) -> dict[str, Any]:
    """Return the item of an entry."""
    spans = {component: {"M": _span_item(span)} for component, span in entry.spans.items()}
    return entry_key(entry.number) | {
        "number": {"S": entry.number},
        "version": {"N": str(entry.version)},
        "spans": {"M": spans},
    }


def read_entry(item: Item) -> Entry:
    """Return the entry of an item."""
    spans = {Component(name): _to_span(span["M"]) for name, span in item["spans"]["M"].items()}
    return Entry(item["number"]["S"], int(item["version"]["N"]), spans)


def _span_item(span: KnownSpan) -> dict[str, Any]:
    item = {"start": {"S": span.start.isoformat()}}
    return item if span.end is None else item | {"end": {"S": span.end.isoformat()}}


def _to_span(item: Item) -> KnownSpan:
    end = item.get("end")
    return KnownSpan(date.fromisoformat(item["start"]["S"]), date.fromisoformat(end["S"]) if end else None)


def partition_key(partition: Partition) -> str:
    """Return the partition key of a shard of the rows."""
    return f"{partition.order.upper()}#{partition.component}#{partition.shard}"


def sort_key(day: date, number: str) -> str:
    """Return the sort key of a row."""
    return f"{day.isoformat()}#{number}"


def row_key(row: Row) -> Key:
    """Return the primary key of a row."""
    return {"pk": {"S": partition_key(row.partition)}, "sk": {"S": sort_key(row.date, row.number)}}


def row_item(row: Row) -> dict[str, Any]:
    """Return the item of a row."""
    return row_key(row) | _span_item(row.span)


def read_row(item: Item) -> Row:
    """Return the row of an item."""
    order, component, shard = item["pk"]["S"].split("#")
    number = item["sk"]["S"].partition("#")[2]
    return Row(Partition(Component(component), Order(order.lower()), int(shard)), number, _to_span(item))


def is_row(item: Item) -> bool:
    """Return whether an item of the table is a row."""
    return item["pk"]["S"].partition("#")[0].lower() in list(Order)


def is_entry(item: Item) -> bool:
    """Return whether an item of the table is a contract's entry."""
    return bool(item["sk"]["S"] == _ENTRY)


def counter_partition(component: Component, shard: int) -> str:
    """Return the partition key of the counters of a shard of a component's spans."""
    return f"COUNT#{component}#{shard}"


def counter_key(key: CounterKey) -> Key:
    """Return the primary key of a month's counters."""
    return {"pk": {"S": counter_partition(key.component, key.shard)}, "sk": {"S": key.month}}


def read_counters(item: Item) -> dict[str, int]:
    """Return the counters of a month, without those that are zero."""
    return {
        name: int(value["N"])
        for name, value in item.items()
        if name not in ("pk", "sk", CHANGES) and int(value["N"])
    }
