"""`make restore`: makes a table of a deployed stage what another table is, or a part of it.

DynamoDB restores a point in time into a new table. The stack keeps its own, with its name, stream and alarms, so
what was restored is copied back. Nothing else should write meanwhile: docs/operations.md says how to see to that.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.conditions import Attr

from infra.commands.processes import CommandError
from infra.operate.command import confirmed, required_variable, tell

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table

_MAX_KEYS = 100  # of one BatchGetItem
_REPORT_EVERY = 10_000

Item = dict[str, Any]


def restore(dynamodb: "DynamoDBServiceResource", target: str, source: str, prefix: str = "") -> Iterator[str]:
    """Make the items of `target` whose partition key is, or is below, `prefix` what they are in `source`.

    `prefix` is made of whole parts of a key, which have # between them: CONTRACT#1001 is not CONTRACT#10010.

    Raises:
        CommandError: the tables have different keys.
    """
    into, out_of = dynamodb.Table(target), dynamodb.Table(source)
    if into.key_schema != out_of.key_schema:
        raise CommandError(f"{target} and {source} are not the same kind of table")
    gone = 0
    # Both unconditionally: what was restored is to stand there, whatever stands there now.
    with into.batch_writer() as batch:
        keys = (_key_of(into, item) for item in _items(into, prefix))
        while page := list(islice(keys, _MAX_KEYS)):
            known = [_key_of(out_of, item) for item in _read(dynamodb, source, page)]
            for key in page:
                if key not in known:
                    batch.delete_item(Key=key)
                    gone += 1
        yield f"{gone} items deleted that were not there then"
        count = 0
        for count, item in enumerate(_items(out_of, prefix), 1):
            batch.put_item(Item=item)
            if count % _REPORT_EVERY == 0:
                yield f"{count:,} items copied …"
    yield f"{count:,} items copied"


def _items(table: "Table", prefix: str) -> Iterator[Item]:
    name = table.key_schema[0]["AttributeName"]
    part = prefix.removesuffix("#")
    chosen: Any = (
        {"FilterExpression": Attr(name).eq(part) | Attr(name).begins_with(f"{part}#")} if prefix else {}
    )
    pages = table.meta.client.get_paginator("scan")  # nothing else reads a table whole
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
    target = required_variable(os.environ, "TABLE", "the table of the stack")
    source = required_variable(os.environ, "FROM", "the table that was restored")
    prefix = os.environ.get("PREFIX", "")
    what = f"every item of {target} below {prefix}" if prefix else f"every item of {target}"
    confirmed(os.environ, target, f"this overwrites {what}")
    yield from restore(boto3.resource("dynamodb"), target, source, prefix)


if __name__ == "__main__":
    sys.exit(tell(_steps))
