"""Trails in DynamoDB: one row for each decided event, written once and never changed.

A row's partition is a contract's number and generation, so a contract that was deleted and
created again starts with none. Its sort key is the event's key: the same id cannot be decided
twice. The index `by_arrival` holds the rows in the order in which they were received. Rows stored
before they had a kind and an actor are read as decided events of nobody known.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.actors import Actor, ActorKind
from domain.contracts.contract import Contract
from domain.contracts.events import ComponentEvent, EventType, Occurrence
from domain.contracts.trails import (
    MOST_ROWS,
    Entry,
    Reception,
    RowKind,
    Source,
    TrailTooLongError,
    in_order,
)
from domain.contracts.verdicts import Code, Verdict
from domain.instants import from_micros, to_micros

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of every write of a row.
ROW_IS_NEW = "attribute_not_exists(#pk)"

NO_CONTRACT = 0
"""The generation under which events for contracts that do not exist are kept, for a while."""

KEPT_WITHOUT_CONTRACT = timedelta(days=30)
"""How long they are kept; longer than a publisher sends an event again."""

# A filter may skip many rows; past this many queries a page ends early and its cursor goes on.
_MAX_QUERIES = 10
_ROWS_FILTERED_AT_ONCE = 500

_FILTERS = ("status", "code", "component")


class TrailPage(NamedTuple):
    """Some entries in the order of arrival, and the position to go on after, if any."""

    entries: tuple[Entry, ...]
    next_after: str | None


def partition_of(number: str, generation: int) -> str:
    """Return the partition of the rows of one contract."""
    return f"TRAIL#{number}#{generation}"


def row_key(event: ComponentEvent, generation: int) -> dict[str, Any]:
    """Return the primary key of an event's row."""
    return {"pk": {"S": partition_of(event.contract_number, generation)}, "sk": {"S": f"EVENT#{event.key}"}}


def put_of(entry: Entry, generation: int, token: str) -> dict[str, Any]:
    """Return the item and condition of the write that appends `entry`; `token` tells who wrote it."""
    event, verdict, reception = entry.event, entry.verdict, entry.reception
    item = row_key(event, generation) | {
        # Not `kind`: with `number` beside it the row would stand in the listing of contracts.
        "row_kind": {"S": RowKind.DECIDED},
        "type": {"S": event.type},
        "component": {"S": event.type.component},
        "number": {"S": event.contract_number},
        "date": {"S": event.date.isoformat()},
        "created_at": {"N": str(to_micros(event.created_at))},
        "key": {"S": event.key},
        "status": {"S": "accepted" if verdict.accepted else "rejected"},
        "code": {"S": verdict.code},
        "message": {"S": entry.message},
        "received_at": {"N": str(to_micros(reception.received_at))},
        "source": {"S": reception.source},
        "request_id": {"S": reception.request_id},
        "token": {"S": token},
    }
    if reception.actor is not None:
        item["actor"] = {"M": _actor_item(reception.actor)}
    if generation == NO_CONTRACT:
        expires_at = reception.received_at + KEPT_WITHOUT_CONTRACT
        item["expires_at"] = {"N": str(int(expires_at.timestamp()))}
    if event.id is not None:
        item["event_id"] = {"S": event.id}
    if verdict.blocked_by:
        item["blocked_by"] = {
            "M": {
                "type": {"S": verdict.blocked_by.type},
                "date": {"S": verdict.blocked_by.date.isoformat()},
                "created_at": {"N": str(to_micros(verdict.blocked_by.created_at))},
                "key": {"S": verdict.blocked_by.key},
            }
        }
    return {
        "Item": item,
        "ConditionExpression": ROW_IS_NEW,
        "ExpressionAttributeNames": {"#pk": "pk"},
    }


def _actor_item(actor: Actor) -> dict[str, Any]:
    facts = {"kind": actor.kind, "id": actor.id, "name": actor.name}
    return {name: {"S": fact} for name, fact in facts.items() if fact is not None}


def _to_actor(item: Mapping[str, Any]) -> Actor | None:
    if "actor" not in item:
        return None
    facts = {name: fact["S"] for name, fact in item["actor"]["M"].items()}
    return Actor(ActorKind(facts["kind"]), facts.get("id"), facts.get("name"))


def to_entry(item: Mapping[str, Any]) -> Entry:
    """Read a row."""
    blocker = item.get("blocked_by", {"M": None})["M"]
    return Entry(
        event=ComponentEvent(
            type=EventType(item["type"]["S"]),
            contract_number=item["number"]["S"],
            date=date.fromisoformat(item["date"]["S"]),
            created_at=from_micros(int(item["created_at"]["N"])),
            key=item["key"]["S"],
            id=item["event_id"]["S"] if "event_id" in item else None,
        ),
        verdict=Verdict(
            Code(item["code"]["S"]),
            Occurrence(
                type=EventType(blocker["type"]["S"]),
                date=date.fromisoformat(blocker["date"]["S"]),
                created_at=from_micros(int(blocker["created_at"]["N"])),
                key=blocker["key"]["S"],
            )
            if blocker
            else None,
        ),
        message=item["message"]["S"],
        reception=Reception(
            received_at=from_micros(int(item["received_at"]["N"])),
            source=Source(item["source"]["S"]),
            request_id=item["request_id"]["S"],
            actor=_to_actor(item),
        ),
    )


class TrailStore:
    """The trails of the contracts of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def entries(self, contract: Contract, until: datetime | None = None) -> list[Entry]:
        """Read the trail of `contract`, consistently; sorted by `created_at`, ties by arrival.

        With `until` only the events created up to and including that instant are returned; the
        whole trail is read all the same.

        Raises:
            TrailTooLongError: it has more than MOST_ROWS rows.
        """
        query = self._query_of(contract) | {"ConsistentRead": True}
        rows: list[Mapping[str, Any]] = []
        while True:
            answer = self.client.query(**query, Limit=MOST_ROWS + 1 - len(rows))
            rows += answer["Items"]
            if len(rows) > MOST_ROWS:
                raise TrailTooLongError(contract.number)
            if "LastEvaluatedKey" not in answer:
                break
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        entries = [entry for entry in map(to_entry, rows) if until is None or entry.event.created_at <= until]
        return sorted(entries, key=in_order)

    def page(self, contract: Contract, limit: int, after: str | None, wanted: Mapping[str, str]) -> TrailPage:
        """Read a page of the trail of `contract`, in the order of arrival, the newest last.

        Eventually consistent: a row shows up here within about a second. `wanted` may name a status,
        code and component; a page may hold fewer than `limit` entries although more follow.
        """
        query = self._query_of(contract) | {"IndexName": "by_arrival"}
        clauses = []
        for name in _FILTERS:
            if name in wanted:
                clauses.append(f"#{name} = :{name}")
                query["ExpressionAttributeNames"][f"#{name}"] = name
                query["ExpressionAttributeValues"][f":{name}"] = {"S": wanted[name]}
        query["Limit"] = limit
        if clauses:
            query |= {"FilterExpression": " AND ".join(clauses), "Limit": _ROWS_FILTERED_AT_ONCE}
        if after is not None:
            query["ExclusiveStartKey"] = _start_key(contract, after)
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
        return TrailPage(tuple(map(to_entry, shown)), _position_of(read_to) if read_to else None)

    def _query_of(self, contract: Contract) -> dict[str, Any]:
        return {
            "TableName": self.table,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": "pk"},
            "ExpressionAttributeValues": {":pk": {"S": partition_of(contract.number, contract.generation)}},
        }


def _position_of(item: Mapping[str, Any]) -> str:
    """Return where a row stands in the index; rows received at the same microsecond differ by their key."""
    return f"{item['received_at']['N']} {item['sk']['S']}"


def _start_key(contract: Contract, position: str) -> dict[str, Any]:
    received_at, sort_key = position.split(" ")
    return {
        "pk": {"S": partition_of(contract.number, contract.generation)},
        "sk": {"S": sort_key},
        "received_at": {"N": received_at},
    }
