"""Reads many items of a table by their keys, whatever their number."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infra.retries import attempts
from infra.write_outcomes import BusyError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MAX_KEYS = 100
"""The keys that one BatchGetItem may have."""


def read_items(
    client: "DynamoDBClient", table: str, keys: Sequence[dict[str, Any]], names: Sequence[str] = ()
) -> list[Any]:
    """Read the items that exist, consistently and in any order; with `names`, only these attributes of them.

    Raises:
        BusyError: DynamoDB left keys unprocessed in every attempt.
    """
    projection: dict[str, Any] = {}
    if names:
        projection = {
            "ProjectionExpression": ",".join(f"#{name}" for name in names),
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
        }
    items: list[Any] = []
    for first in range(0, len(keys), _MAX_KEYS):
        requested = {"Keys": keys[first : first + _MAX_KEYS], "ConsistentRead": True} | projection
        items += _read(client, table, requested)
    return items


def _read(client: "DynamoDBClient", table: str, requested: dict[str, Any]) -> list[Any]:
    request: Any = {table: requested}
    items: list[Any] = []
    for _ in attempts():
        answer = client.batch_get_item(RequestItems=request)
        items += answer["Responses"].get(table, [])
        request = answer.get("UnprocessedKeys")
        if not request:
            return items
    raise BusyError
