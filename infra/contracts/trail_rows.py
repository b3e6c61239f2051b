"""The DynamoDB items of a trail, its rows: written once, and never changed.

A row's partition is a contract's number and generation, so a contract that was deleted and
created again starts with none. The sort key of an event's row is the event's key: the same id cannot
be decided twice, and an event cannot be voided twice. Rows stored before they had a kind and an actor
are read as decided events without an actor.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from domain.actors import Actor, ActorKind
from domain.contracts.events import Component, ComponentEvent, EventType, Occurrence
from domain.contracts.trails import (
    Changed,
    Correction,
    Entry,
    Reception,
    Replayed,
    Row,
    RowKind,
    Source,
    Voided,
)
from domain.contracts.verdicts import Code, Verdict
from domain.instants import from_micros, to_micros
from infra.contracts.contract_items import states_item, to_states

Item = Mapping[str, Any]

# Condition of every write of a row.
ROW_IS_NEW = "attribute_not_exists(#pk)"

NO_CONTRACT = 0
"""The generation under which events for contracts that do not exist are stored, for a while."""

KEPT_WITHOUT_CONTRACT = timedelta(days=30)
"""How long they are stored; longer than a publisher resends an event."""

_CORRECTIONS = (RowKind.VOIDED, RowKind.REPLAYED, RowKind.CHANGED)


def partition_of(number: str, generation: int) -> str:
    """Return the partition of the rows of one contract."""
    return f"TRAIL#{number}#{generation}"


def row_key(event: ComponentEvent, generation: int) -> dict[str, Any]:
    """Return the primary key of an event's row."""
    return key_of_row(event.contract_number, generation, event.key)


def key_of_row(number: str, generation: int, key: str) -> dict[str, Any]:
    """Return the primary key of the row that `key` addresses: an event's key, or a correction's."""
    kind, _, rest = key.partition("-")
    sort_key = f"{kind.upper()}#{rest}" if kind in _CORRECTIONS else f"EVENT#{key}"
    return {"pk": {"S": partition_of(number, generation)}, "sk": {"S": sort_key}}


def correction_key(kind: RowKind, rest: str) -> str:
    """Return the key of a correction: its kind, and the key of the event that it voids, or a new key."""
    return f"{kind}-{rest}"


def put_of(entry: Entry, generation: int, token: str) -> dict[str, Any]:
    """Return the item and condition of the write that appends `entry`; `token` identifies the call that writes it."""
    event, verdict, reception = entry.event, entry.verdict, entry.reception
    item = (
        row_key(event, generation)
        | _shared_item(event.contract_number, entry, token, RowKind.DECIDED)
        | {
            "type": {"S": event.type},
            "component": {"S": event.type.component},
            "date": {"S": event.date.isoformat()},
            "created_at": {"N": str(to_micros(event.created_at))},
            "status": {"S": "accepted" if verdict.accepted else "rejected"},
            "code": {"S": verdict.code},
            "message": {"S": entry.message},
        }
    )
    if generation == NO_CONTRACT:
        expires_at = reception.received_at + KEPT_WITHOUT_CONTRACT
        item["expires_at"] = {"N": str(int(expires_at.timestamp()))}
    if event.id is not None:
        item["event_id"] = {"S": event.id}
    if verdict.blocked_by:
        item["blocked_by"] = {"M": _occurrence_item(verdict.blocked_by)}
    return _put(item)


def put_of_correction(number: str, generation: int, row: Correction, token: str) -> dict[str, Any]:
    """Return the item and condition of the write that appends a correction."""
    key = key_of_row(number, generation, row.key)
    match row:
        case Changed():
            item = _shared_item(number, row, token, RowKind.CHANGED)
            item |= {"before_names": _names_item(row.before), "after_names": _names_item(row.after)}
        case Voided():
            item = _shared_item(number, row, token, RowKind.VOIDED)
            item |= {"voids": {"S": row.voids}, "reason": {"S": row.reason}} | _before_and_after(row)
        case Replayed():
            item = _shared_item(number, row, token, RowKind.REPLAYED)
            item |= {"events": {"N": str(row.events)}} | _before_and_after(row)
    return _put(key | item)


def _put(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "Item": item,
        "ConditionExpression": ROW_IS_NEW,
        "ExpressionAttributeNames": {"#pk": "pk"},
    }


def _shared_item(number: str, row: Row, token: str, kind: RowKind) -> dict[str, Any]:
    """Return the attributes that rows of every kind have."""
    reception = row.reception
    item: dict[str, Any] = {
        # Not `kind`: together with `number` it would put the row into the index of contracts.
        "row_kind": {"S": kind},
        "number": {"S": number},
        "key": {"S": row.key},
        "received_at": {"N": str(to_micros(reception.received_at))},
        "recorded_at": {"N": str(to_micros(row.recorded_at))},
        "source": {"S": reception.source},
        "request_id": {"S": reception.request_id},
        "token": {"S": token},
    }
    if (actor := reception.actor) is not None:
        facts = {"kind": actor.kind, "id": actor.id, "name": actor.name}
        item["actor"] = {"M": {name: {"S": fact} for name, fact in facts.items() if fact is not None}}
    return item


def _before_and_after(row: Voided | Replayed) -> dict[str, Any]:
    return {"before": {"M": states_item(row.before)}, "after": {"M": states_item(row.after)}}


def _names_item(components: tuple[Component, ...]) -> dict[str, Any]:
    return {"L": [{"S": component} for component in components]}


def _occurrence_item(occurrence: Occurrence) -> dict[str, Any]:
    return {
        "type": {"S": occurrence.type},
        "date": {"S": occurrence.date.isoformat()},
        "created_at": {"N": str(to_micros(occurrence.created_at))},
        "key": {"S": occurrence.key},
    }


def to_row(item: Item) -> Row:
    """Read a row of any kind."""
    kind = RowKind(item.get("row_kind", {"S": RowKind.DECIDED})["S"])
    if kind is RowKind.DECIDED:
        return to_entry(item)
    key, reception, recorded_at = item["key"]["S"], _to_reception(item), _instant(item, "recorded_at")
    if kind is RowKind.CHANGED:
        before, after = (
            tuple(Component(name["S"]) for name in item[names]["L"])
            for names in ("before_names", "after_names")
        )
        return Changed(key, reception, recorded_at, before, after)
    states = to_states(item["before"]["M"]), to_states(item["after"]["M"])
    if kind is RowKind.VOIDED:
        return Voided(key, reception, recorded_at, item["voids"]["S"], item["reason"]["S"], *states)
    return Replayed(key, reception, recorded_at, int(item["events"]["N"]), *states)


def to_entry(item: Item) -> Entry:
    """Read the row of a decided event."""
    return Entry(
        event=ComponentEvent(
            type=EventType(item["type"]["S"]),
            contract_number=item["number"]["S"],
            date=date.fromisoformat(item["date"]["S"]),
            created_at=_instant(item, "created_at"),
            key=item["key"]["S"],
            id=item["event_id"]["S"] if "event_id" in item else None,
        ),
        verdict=Verdict(
            Code(item["code"]["S"]),
            _to_occurrence(item["blocked_by"]["M"]) if "blocked_by" in item else None,
        ),
        message=item["message"]["S"],
        reception=_to_reception(item),
        written_at=_instant(item, "recorded_at") if "recorded_at" in item else None,
    )


def _to_occurrence(item: Item) -> Occurrence:
    return Occurrence(
        type=EventType(item["type"]["S"]),
        date=date.fromisoformat(item["date"]["S"]),
        created_at=_instant(item, "created_at"),
        key=item["key"]["S"],
    )


def _to_reception(item: Item) -> Reception:
    actor = None
    if "actor" in item:
        facts = {name: fact["S"] for name, fact in item["actor"]["M"].items()}
        actor = Actor(ActorKind(facts["kind"]), facts.get("id"), facts.get("name"))
    return Reception(
        received_at=_instant(item, "received_at"),
        source=Source(item["source"]["S"]),
        request_id=item["request_id"]["S"],
        actor=actor,
    )


def _instant(item: Item, name: str) -> datetime:
    return from_micros(int(item[name]["N"]))
