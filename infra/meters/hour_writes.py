"""What a request makes of the hours that it touches: the writes, in as few transactions as DynamoDB takes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from domain.meters.corrections import Effect
from domain.meters.hour_changes import Change
from infra.meters.meter_store import partition_of
from infra.meters.reading_items import StoredHour, hour_item, hour_key, past_items, size_of

# Conditions of the writes below. An hour may have been written by another upload; the key of a past version contains
# the number of the write that replaced it, so that only a resend of that write can find it stored.
IS_NEW = "attribute_not_exists(#pk)"
IS_UNCHANGED = "#version = :version"

# DynamoDB takes 100 items and 4 MB at once.
_MAX_ITEMS = 100
_MAX_BYTES = 3_000_000

Write = dict[str, Any]
Apply = Callable[[str, StoredHour, int], tuple[Change, int]]
"""Applies a request to an hour, given its name, what is stored, and the instant of recording.

Returns the change, and how many readings it deletes."""


class Counts(NamedTuple):
    """How many readings were received, and what they did."""

    received: int = 0
    stored: int = 0
    updated: int = 0
    unchanged: int = 0
    outdated: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Add the counts of another part of the same request."""
        return Counts(*(one + more for one, more in zip(self, other, strict=True)))


class Transaction(NamedTuple):
    """Writes that are applied together, the hours that they belong to, and what they count."""

    hours: list[str]
    writes: list[Write]
    counts: Counts
    deleted: int


@dataclass(frozen=True)
class HourWrites:
    """The writes of hours of one meter in a table."""

    table: str
    meter_id: str

    def transactions(
        self, hours: Iterable[tuple[str, StoredHour]], apply: Apply, now: int
    ) -> Iterator[Transaction]:
        """Apply a request to hours, and yield the writes that follow."""
        gathered = Transaction([], [], Counts(), 0)
        size = 0
        for name, before in hours:
            # The versions of an hour are recorded one after another, whatever the clocks say.
            change, deleted = apply(name, before, max(now, before.block.changed_at + 1))
            writes = self.of(name, before.version, change) if change.is_change else []
            size_of_hour = sum(map(_size_of, writes))
            is_full = size + size_of_hour > _MAX_BYTES or len(gathered.writes) + len(writes) > _MAX_ITEMS
            if gathered.writes and is_full:
                yield gathered
                gathered, size = Transaction([], [], Counts(), 0), 0
            gathered = Transaction(
                [*gathered.hours, name],
                gathered.writes + writes,
                gathered.counts.plus(_counts_of(change)),
                gathered.deleted + deleted,
            )
            size += size_of_hour
        yield gathered

    def of(self, name: str, before: int, change: Change) -> list[Write]:
        """Return the writes that store an hour, whose version was `before`, and the versions that are replaced."""
        key = {"pk": partition_of(self.meter_id)}
        hour = key | {"sk": hour_key(name)}
        item = hour | hour_item(change.block, before + 1, size_of(hour))
        is_new = {"ConditionExpression": IS_NEW, "ExpressionAttributeNames": {"#pk": "pk"}}
        is_unchanged = {
            "ConditionExpression": IS_UNCHANGED,
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(before)}},
        }
        past = past_items(name, before + 1, change.past, change.block.changed_at)
        return [
            {"TableName": self.table, "Item": item, **(is_unchanged if before else is_new)},
            *({"TableName": self.table, "Item": key | attributes, **is_new} for attributes in past),
        ]


def _size_of(write: Write) -> int:
    return sum(len(write["Item"][name]["B"]) for name in ("body", "facts"))


def _counts_of(change: Change) -> Counts:
    return Counts(change.effects.total(), *(change.effects[effect] for effect in Effect))
