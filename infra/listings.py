"""Lists of what a table holds, page by page, from an index in which all of a kind stand in order."""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ListingPage(NamedTuple):
    """Some items, and the key of the last one read where more may follow."""

    items: list[Any]
    last: dict[str, Any] | None


def list_items(
    client: "DynamoDBClient", table: str, kind: tuple[str, str], limit: int, after: dict[str, Any] | None
) -> ListingPage:
    """Read up to `limit` items of the index `listing` that follow the key `after`.

    `kind` names the index's partition and its value. Eventually consistent, as every index is: a
    change shows up within about a second.
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
