"""Trails in DynamoDB: read whole, consistently, or listed page by page in the order of arrival."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.trails import MOST_ROWS, Entry, Row, RowKind, Trail, TrailTooLongError
from infra.contracts.trail_rows import key_of_row, partition_of, to_row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A filter may skip many rows; after this many queries a page ends early, and its cursor continues.
_MAX_QUERIES = 10
_ROWS_FILTERED_AT_ONCE = 500

_FILTERS = ("status", "code", "component")


class TrailPage(NamedTuple):
    """Some rows in the order of arrival, and the position after which the next page starts, if any."""

    rows: tuple[Row, ...]
    next_after: str | None


class TrailStore:
    """The trails of the contracts of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def whole(self, contract: Contract) -> Trail:
        """Read the trail of `contract`, consistently.

        Raises:
            TrailTooLongError: it has more than MOST_ROWS rows.
        """
        query = self._query_of(contract.number, contract.generation) | {"ConsistentRead": True}
        items: list[Mapping[str, Any]] = []
        while True:
            answer = self.client.query(**query, Limit=MOST_ROWS + 1 - len(items))
            items += answer["Items"]
            if len(items) > MOST_ROWS:
                raise TrailTooLongError(contract.number)
            if "LastEvaluatedKey" not in answer:
                return Trail.of(map(to_row, items))
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def entries(self, contract: Contract) -> tuple[Entry, ...]:
        """Read the decided events of `contract`, consistently; sorted by `created_at`, ties by arrival."""
        return self.whole(contract).entries

    def row(self, number: str, generation: int, key: str) -> Row | None:
        """Read the row that `key` addresses, consistently."""
        answer = self.client.get_item(
            TableName=self.table, Key=key_of_row(number, generation, key), ConsistentRead=True
        )
        return to_row(answer["Item"]) if "Item" in answer else None

    def page(
        self, number: str, generation: int, limit: int, after: str | None, wanted: Mapping[str, str]
    ) -> TrailPage:
        """Read a page of the trail of a contract, in the order of arrival, the newest last.

        Eventually consistent: a row appears within about a second. `wanted` may name a status,
        code and component; then only decided events are listed, and a page may hold fewer than
        `limit` rows although more follow.
        """
        query = self._query_of(number, generation) | {"IndexName": "by_arrival", "Limit": limit}
        if wanted:
            _add_filter(query, wanted)
        if after is not None:
            query["ExclusiveStartKey"] = _start_key(number, generation, after)
        items: list[Mapping[str, Any]] = []
        for _ in range(_MAX_QUERIES):
            answer = self.client.query(**query)
            items += answer["Items"]
            last = answer.get("LastEvaluatedKey")
            if last is None or len(items) >= limit:
                break
            query["ExclusiveStartKey"] = last
        shown = items[:limit]
        read_to = shown[-1] if len(items) > limit else last
        return TrailPage(tuple(map(to_row, shown)), _position_of(read_to) if read_to else None)

    def _query_of(self, number: str, generation: int) -> dict[str, Any]:
        return {
            "TableName": self.table,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": "pk"},
            "ExpressionAttributeValues": {":pk": {"S": partition_of(number, generation)}},
        }


def _add_filter(query: dict[str, Any], wanted: Mapping[str, str]) -> None:
    # The oldest rows have no kind, and are decided events.
    clauses = ["(attribute_not_exists(#row_kind) OR #row_kind = :row_kind)"]
    names, values = query["ExpressionAttributeNames"], query["ExpressionAttributeValues"]
    names["#row_kind"], values[":row_kind"] = "row_kind", {"S": RowKind.DECIDED}
    for name in _FILTERS:
        if name in wanted:
            clauses.append(f"#{name} = :{name}")
            names[f"#{name}"], values[f":{name}"] = name, {"S": wanted[name]}
    query |= {"FilterExpression": " AND ".join(clauses), "Limit": _ROWS_FILTERED_AT_ONCE}


def _position_of(item: Mapping[str, Any]) -> str:
    """Return the position of a row in the index; rows received at the same microsecond differ by their key."""
    return f"{item['received_at']['N']} {item['sk']['S']}"


def _start_key(number: str, generation: int, position: str) -> dict[str, Any]:
    received_at, sort_key = position.split(" ")
    return {
        "pk": {"S": partition_of(number, generation)},
        "sk": {"S": sort_key},
        "received_at": {"N": received_at},
    }
