"""`make restore`: replaces the items of a deployed table, or a part of them, by those of a restored table.

DynamoDB restores a point in time into a new table. The stack keeps its own table, with its name, stream and alarms,
so the restored items are copied back into it. No other process should write during the copy: docs/operations.md
describes how to ensure that.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Attr

from infra.commands.command_error import CommandError
from infra.operate import clients
from infra.operate.command import require_confirmation, required_variable, run_steps

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table

_MAX_KEYS = 100  # in one BatchGetItem
_REPORT_EVERY = 10_000

Item = dict[str, Any]


def restore(dynamodb: "DynamoDBServiceResource", target: str, source: str, prefix: str = "") -> Iterator[str]:
    """Replace the items of `target` whose partition key is `prefix`, or is below it, by those of `source`.

    `prefix` consists of whole parts of a key, which # separates: CONTRACT#1001 does not match CONTRACT#10010.

    Raises:
        CommandError: the tables have different keys.
    """
    into, out_of = dynamodb.Table(target), dynamodb.Table(source)
    if into.key_schema != out_of.key_schema:
        raise CommandError(f"{target} and {source} are not the same kind of table")
    # Without conditions: the restored items replace the present ones, whatever those are.
    with into.batch_writer() as batch:
        deleted = 0
        for key in _keys_missing_in(dynamodb, out_of, into, prefix):
            batch.delete_item(Key=key)
            deleted += 1
        yield f"{deleted} items deleted that are not in {source}"
        count = 0
        for count, item in enumerate(_items(out_of, prefix), 1):
            batch.put_item(Item=item)
            if count % _REPORT_EVERY == 0:
                yield f"{count:,} items copied …"
    yield f"{count:,} items copied"


def _keys_missing_in(
    dynamodb: "DynamoDBServiceResource", source: "Table", target: "Table", prefix: str
) -> Iterator[Item]:
    """Yield the keys of the items of `target` that `source` does not have."""
    keys = (_key_of(target, item) for item in _items(target, prefix))
    while page := list(islice(keys, _MAX_KEYS)):
        found = [_key_of(source, item) for item in _read(dynamodb, source.name, page)]
        yield from (key for key in page if key not in found)


def _items(table: "Table", prefix: str) -> Iterator[Item]:
    name = table.key_schema[0]["AttributeName"]
    part = prefix.removesuffix("#")
    chosen: Any = (
        {"FilterExpression": Attr(name).eq(part) | Attr(name).begins_with(f"{part}#")} if prefix else {}
    )
    pages = table.meta.client.get_paginator("scan")  # the only place that reads a whole table
    for page in pages.paginate(TableName=table.name, ConsistentRead=True, **chosen):
        yield from page["Items"]


def _key_of(table: "Table", item: Item) -> dict[str, Any]:
    return {part["AttributeName"]: item[part["AttributeName"]] for part in table.key_schema}


def _read(dynamodb: "DynamoDBServiceResource", table: str, keys: Sequence[Item]) -> Iterator[Item]:
    wanted: Any = {table: {"Keys": list(keys), "ConsistentRead": True}}
    while wanted:
        answer = dynamodb.batch_get_item(RequestItems=wanted)
        yield from answer["Responses"].get(table, [])
        wanted = answer.get("UnprocessedKeys")


def _steps() -> Iterator[str]:
    target = required_variable(os.environ, "TABLE", "the name of the stack's table")
    source = required_variable(os.environ, "FROM", "the name of the restored table")
    prefix = os.environ.get("PREFIX", "")
    what = f"every item of {target} below {prefix}" if prefix else f"every item of {target}"
    require_confirmation(os.environ, target, f"this overwrites {what}")
    yield from restore(clients.dynamodb_resource(), target, source, prefix)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
