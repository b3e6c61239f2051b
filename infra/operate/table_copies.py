"""Two tables of the same kind: replacing items of one by those of the other.

Items stay as DynamoDB sends them, so that no value is read as something else on the way.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from infra.commands.command_error import CommandError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MAX_READ = 100  # keys in one BatchGetItem
_MAX_WRITTEN = 25  # items in one BatchWriteItem
_LONGEST_PAUSE_SECONDS = 5.0

Item = Mapping[str, Any]
_One = TypeVar("_One")


@dataclass(frozen=True)
class TableCopy:
    """The tables `target` and `source`, whose keys have the attributes `key_names`, the partition key first."""

    client: "DynamoDBClient"
    target: str
    source: str
    key_names: tuple[str, ...]
    identity: tuple[str, ...]
    """The ids of both tables, which another restore into a table of the same name does not have."""
    items: int
    """About how many items the source has; 0 if DynamoDB has not counted them yet."""
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, client: "DynamoDBClient", target: str, source: str) -> "TableCopy":
        """Describe both tables; CommandError if their keys differ."""
        into, out_of = (client.describe_table(TableName=name)["Table"] for name in (target, source))
        if into["KeySchema"] != out_of["KeySchema"]:
            raise CommandError(f"{target} and {source} are not the same kind of table")
        names = tuple(part["AttributeName"] for part in into["KeySchema"])
        identity = tuple(str(table.get("TableId", table["TableArn"])) for table in (into, out_of))
        return cls(client, target, source, names, identity, int(out_of.get("ItemCount", 0)))

    @property
    def keys_only(self) -> dict[str, Any]:
        """What makes a read send the keys of items only."""
        names = {f"#{index}": name for index, name in enumerate(self.key_names)}
        return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}

    def key_of(self, item: Item) -> dict[str, Any]:
        """Return the key of an item."""
        return {name: item[name] for name in self.key_names}

    def has(self, partition: str) -> bool:
        """Return whether one of the tables has an item in a partition."""
        return any(
            next(self.partition(table, partition, limit=1), None) for table in (self.target, self.source)
        )

    def partition(self, table: str, partition: str, limit: int | None = None) -> Iterator[Item]:
        """Yield the items of a partition, consistently."""
        limited: dict[str, Any] = {} if limit is None else {"Limit": limit}
        pages = self.client.get_paginator("query").paginate(
            TableName=table,
            ConsistentRead=True,
            KeyConditionExpression="#key = :key",
            ExpressionAttributeNames={"#key": self.key_names[0]},
            ExpressionAttributeValues={":key": {"S": partition}},
            **limited,
        )
        for page in pages:
            yield from page["Items"]

    def restore_partition(self, partition: str) -> tuple[int, int]:
        """Replace the items of a partition by those of the source; return how many were deleted and copied."""
        copied = set()
        for some in _in_parts(self.partition(self.source, partition), _MAX_WRITTEN):
            self.put(some)
            copied |= {_flat(self.key_of(item)) for item in some}
        present = (self.key_of(item) for item in self.partition(self.target, partition))
        gone = [key for key in present if _flat(key) not in copied]
        self._delete(gone)
        return len(gone), len(copied)

    def put(self, items: Sequence[Item]) -> int:
        """Write items into the target without conditions: they replace the present ones, whatever those are."""
        self._write([{"PutRequest": {"Item": item}} for item in items])
        return len(items)

    def delete_missing(self, found: Sequence[Item]) -> int:
        """Delete from the target those of its items that the source does not have; return how many."""
        keys = [self.key_of(item) for item in found]
        kept = {_flat(key) for some in _in_parts(iter(keys), _MAX_READ) for key in self._read(some)}
        missing = [key for key in keys if _flat(key) not in kept]
        self._delete(missing)
        return len(missing)

    def _delete(self, keys: Sequence[Item]) -> None:
        self._write([{"DeleteRequest": {"Key": key}} for key in keys])

    def _write(self, requests: Sequence[Mapping[str, Any]]) -> None:
        for some in _in_parts(iter(requests), _MAX_WRITTEN):
            wanted: Any = {self.target: some}
            for pause in self._pauses():
                wanted = self.client.batch_write_item(RequestItems=wanted).get("UnprocessedItems")
                if not wanted:
                    break
                self.sleep(pause)

    def _read(self, keys: Sequence[Item]) -> Iterator[dict[str, Any]]:
        """Yield the keys of those items that the source has."""
        wanted: Any = {self.source: {"Keys": keys, "ConsistentRead": True, **self.keys_only}}
        for pause in self._pauses():
            answer = self.client.batch_get_item(RequestItems=wanted)
            yield from (self.key_of(item) for item in answer["Responses"].get(self.source, []))
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                break
            self.sleep(pause)

    @staticmethod
    def _pauses() -> Iterator[float]:
        """Yield how long to wait after each answer that leaves something undone: a table is throttled, not broken."""
        pause = 0.05
        while True:
            yield pause
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _flat(key: Item) -> str:
    """Return a key as text, which a set can hold."""
    return str(sorted(key.items()))


def _in_parts(items: Iterator[_One], size: int) -> Iterator[list[_One]]:
    part = []
    for item in items:
        part.append(item)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
