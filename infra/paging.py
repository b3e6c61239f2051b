"""Reads lists page by page, from the index `listing`, which holds all items of a kind in order."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ListingPage(NamedTuple):
    """A page of items, and the key of the last one if there may be more."""

    items: list[Any]
    last: dict[str, Any] | None


def list_items(
    client: "DynamoDBClient", table: str, kind: tuple[str, str], limit: int, after: dict[str, Any] | None
) -> ListingPage:
    """Read up to `limit` items of the index `listing` that follow the key `after`.

    `kind` is the name and the value of the index's partition key. Eventually consistent, like every global index:
    a change appears within about a second.
    """
    name, value = kind
    answer = client.query(
        TableName=table,
        IndexName="listing",
        KeyConditionExpression="#kind = :kind",
        ExpressionAttributeNames={"#kind": name},
        ExpressionAttributeValues={":kind": {"S": value}},
        Limit=limit,
        **({"ExclusiveStartKey": after} if after is not None else {}),  # type: ignore[arg-type]
    )
    return ListingPage(list(answer["Items"]), answer.get("LastEvaluatedKey"))
