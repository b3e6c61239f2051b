"""The log of decided events by UTC day, of all contracts together; rows expire after some days.

A row of a trail is copied from the stream to the day on which the event was received
(pk `LOG#day#shard`, sk `microseconds#number#key`).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.contracts.trails import Entry, RowKind
from domain.instants import from_micros
from domain.portfolio.entries import SHARDS, shard_of
from infra.conditional_writes import Writer
from infra.contracts.trail_rows import to_entry
from infra.parallel import in_parallel
from infra.portfolio.portfolio_items import Item, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of every write: no row is logged twice.
IS_NEW = "attribute_not_exists(#pk)"

_QUERIES_AT_ONCE = 10
_QUERIES_OF_A_SHARD = 4
"""For one page; after them the page ends early, and its cursor continues."""
_ROWS_FILTERED_AT_ONCE = 500
_FILTERS = ("status", "code", "component")
_NOT_LOGGED = ("token", "row_kind", "expires_at")


class LogPage(NamedTuple):
    """Some decided events, the newest first, and the position after which the next page starts, if any."""

    entries: list[Entry]
    next_after: str | None


def is_decided_event(row: Item) -> bool:
    """Return whether an item of the table of contracts is the row of a decided event."""
    is_event = str(row["sk"]["S"]).startswith("EVENT#")
    return is_event and bool(row.get("row_kind", {"S": RowKind.DECIDED})["S"] == RowKind.DECIDED)


def log_key(row: Item) -> Key:
    """Return the primary key under which a row of a trail is logged."""
    micros, number = int(row["received_at"]["N"]), row["number"]["S"]
    day = from_micros(micros).date()
    # Padded, so that text sorts as the numbers do: instants until 2100 have at most sixteen digits.
    sort = f"{micros:016}#{number}#{row['key']['S']}"
    return {"pk": {"S": _partition(day, shard_of(number))}, "sk": {"S": sort}}


def _partition(day: date, shard: int) -> str:
    return f"LOG#{day.isoformat()}#{shard}"


class EventLog:
    """The log in one table, which keeps rows for `days` days; with 0 it keeps none."""

    def __init__(self, client: "DynamoDBClient", table: str, days: int) -> None:
        self.client = client
        self.table = table
        self.days = days
        self.writer = Writer(client)

    def add(self, row: Item, today: date) -> bool:
        """Log the row of a decided event, unless it is too old; logging it twice has no effect.

        Raises:
            BusyError: nothing was stored.
            OutcomeUnknownError: the response to the write was lost.
        """
        item = self.item_of(row)
        if not self.keeps_row(row, today):
            return False
        self.writer.put(
            TableName=self.table,
            Item=item,
            ConditionExpression=IS_NEW,
            ExpressionAttributeNames={"#pk": "pk"},
        )
        return True

    def item_of(self, row: Item) -> dict[str, Any]:
        """Return the item of the log for a row of a trail."""
        day = from_micros(int(row["received_at"]["N"])).date()
        gone = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=self.days + 1)
        kept = {name: value for name, value in row.items() if name not in _NOT_LOGGED}
        return kept | log_key(row) | {"expires_at": {"N": str(int(gone.timestamp()))}}

    def keeps(self, day: date, today: date) -> bool:
        """Return whether rows of a day are kept today: DynamoDB deletes them some time after they expire."""
        return today - day < timedelta(days=self.days)

    def keeps_row(self, row: Item, today: date) -> bool:
        """Return whether the row of an event is kept today."""
        return self.keeps(from_micros(int(row["received_at"]["N"])).date(), today)

    def page(self, day: date, limit: int, after: str | None, wanted: Mapping[str, str]) -> LogPage:
        """List up to `limit` events of a day, the newest first; `wanted` may name status, code and component.

        With a filter a page may hold fewer, or none, although more follow. Eventually consistent.
        """
        parts = in_parallel(
            lambda shard: [self._newest(_partition(day, shard), limit, after, wanted)],
            range(SHARDS),
            _QUERIES_AT_ONCE,
        )
        # Rows older than the point to which every shard was read may lack rows between them: they are not shown yet.
        frontier = max((read_to for _, read_to in parts if read_to), default="")
        rows = sorted((row for part, _ in parts for row in part), key=_position_of, reverse=True)
        known = [row for row in rows if _position_of(row) >= frontier]
        shown = known[:limit]
        if len(shown) < len(rows) or frontier:
            next_after = _position_of(shown[-1]) if len(shown) == limit else frontier
        else:
            next_after = None
        return LogPage([to_entry(row) for row in shown], next_after)

    def _newest(
        self, partition: str, limit: int, after: str | None, wanted: Mapping[str, str]
    ) -> tuple[list[Item], str]:
        """Read rows of a shard, the newest first, and the sort key up to which it was read, if more may follow."""
        query: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "#pk = :pk" + (" AND #sk < :after" if after else ""),
            "ExpressionAttributeNames": {"#pk": "pk"} | ({"#sk": "sk"} if after else {}),
            "ExpressionAttributeValues": {":pk": {"S": partition}}
            | ({":after": {"S": after}} if after else {}),
            "ScanIndexForward": False,
            "Limit": limit,
        }
        chosen = [name for name in _FILTERS if name in wanted]
        if chosen:
            query["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in chosen)
            query["ExpressionAttributeNames"] |= {f"#{name}": name for name in chosen}
            query["ExpressionAttributeValues"] |= {f":{name}": {"S": wanted[name]} for name in chosen}
        rows: list[Item] = []
        last: Any = None
        for number in range(_QUERIES_OF_A_SHARD):
            query["Limit"] = limit if number == 0 else _ROWS_FILTERED_AT_ONCE
            answer = self.client.query(**query)
            rows += answer["Items"]
            last = query["ExclusiveStartKey"] = answer.get("LastEvaluatedKey")
            if last is None:
                return rows, ""
            if len(rows) >= limit:
                break
        return rows, last["sk"]["S"]


def _position_of(row: Item) -> str:
    return str(row["sk"]["S"])
