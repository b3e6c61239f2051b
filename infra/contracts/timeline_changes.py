"""Changes of contracts and of their timelines: read from the table's stream, published on the bus."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.timelines import Span, timeline
from domain.instants import format_instant
from infra.contracts.contract_items import read_contract, version_of

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "energy-operations"


class MessageKind(StrEnum):
    """What a message is about; the `detail-type` of its envelope."""

    TIMELINE_CHANGED = "timeline_changed"
    CONTRACT_CREATED = "contract_created"
    CONTRACT_CHANGED = "contract_changed"
    CONTRACT_DELETED = "contract_deleted"


Timeline = Mapping[Component, Span]


class NotPublishedError(Exception):
    """The bus did not take some messages; `refused` has the error code of each by its index."""

    def __init__(self, refused: Mapping[int, str]) -> None:
        super().__init__(*refused.values())
        self.refused = refused


class Change(NamedTuple):
    """A contract's timeline before and after a change; empty if the contract does not exist.

    `id` is the stream's id of the change, by which receivers recognise a repetition. `version` is that of the contract
    after the change.
    """

    id: str
    contract_number: str
    before: Timeline
    after: Timeline
    version: int

    @property
    def message(self) -> "Message":
        """The message about the change."""
        detail = {
            "id": self.id,
            "contract_number": self.contract_number,
            "version": self.version,
            "before": _show(self.before),
            "after": _show(self.after),
        }
        return Message(MessageKind.TIMELINE_CHANGED, detail)


class Message(NamedTuple):
    """A message of the bus."""

    kind: MessageKind
    detail: Mapping[str, Any]


def messages_of(record: Mapping[str, Any]) -> list[Message]:
    """Return the messages to publish for a record of the stream, if any."""
    contract_message = contract_message_of(record)
    change = change_of(record)
    return [*([contract_message] if contract_message else []), *([change.message] if change else [])]


def contract_message_of(record: Mapping[str, Any]) -> Message | None:
    """Return the message that a contract was created or deleted, or has other components; None if neither."""
    images = record["dynamodb"]
    before, after = (read_contract(images.get(image)) for image in ("OldImage", "NewImage"))
    detail: dict[str, Any] = {
        "id": record["eventID"],
        "contract_number": number_of(record),
        "version": _version_after(record),
    }
    if after is not None and before is None:
        return Message(MessageKind.CONTRACT_CREATED, detail | _facts_of(after))
    if after is None and before is not None:
        return Message(MessageKind.CONTRACT_DELETED, detail)
    if before is not None and after is not None and list(before.components) != list(after.components):
        facts = {"before": list(before.components), "after": list(after.components)}
        return Message(MessageKind.CONTRACT_CHANGED, detail | facts)
    return None


def _facts_of(contract: Contract) -> dict[str, Any]:
    return {"components": list(contract.components), "created_at": format_instant(contract.created_at)}


def _version_after(record: Mapping[str, Any]) -> int:
    """Return the version after a change; for an item that was deleted from the table, the next one."""
    images = record["dynamodb"]
    return version_of(images["NewImage"]) if "NewImage" in images else version_of(images["OldImage"]) + 1


def change_of(record: Mapping[str, Any]) -> Change | None:
    """Return the change in a record of the stream; None if no date has changed."""
    images = record["dynamodb"]
    before, after = _timeline_of(images.get("OldImage")), _timeline_of(images.get("NewImage"))
    if _known(before) == _known(after):
        return None
    return Change(record["eventID"], number_of(record), before, after, _version_after(record))


def present_state(item: Mapping[str, Any] | None, number: str, fresh_id: str) -> Change:
    """Return the announcement of the current state of a contract: a change with equal sides.

    Receivers that keep timelines take `after`; receivers that act on differences find none.
    """
    state = _timeline_of(item)
    return Change(fresh_id, number, state, state, version_of(item) if item else 0)


def number_of(record: Mapping[str, Any]) -> str:
    """Return the number of the contract that a record of the stream is about."""
    return str(record["dynamodb"]["Keys"]["pk"]["S"]).partition("#")[2]


def _timeline_of(image: Mapping[str, Any] | None) -> Timeline:
    contract = read_contract(image)
    return timeline(contract) if contract else {}


def _known(dates: Timeline) -> Timeline:
    return {component: span for component, span in dates.items() if span != Span(None, None)}


class ChangePublisher:
    """Publishes changes on one bus."""

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self.client = client
        self.bus = bus

    def publish(self, messages: Sequence[Message]) -> None:
        """Put up to ten messages on the bus, with one call.

        Raises:
            NotPublishedError: the bus refused some of them; the others are there.
        """
        answer = self.client.put_events(
            Entries=[
                {
                    "EventBusName": self.bus,
                    "Source": SOURCE,
                    "DetailType": message.kind,
                    "Detail": json.dumps(message.detail),
                }
                for message in messages
            ]
        )
        if answer["FailedEntryCount"]:
            refused = enumerate(answer["Entries"])
            raise NotPublishedError(
                {index: entry["ErrorCode"] for index, entry in refused if "ErrorCode" in entry}
            )


def _show(dates: Timeline) -> dict[str, dict[str, str | None]]:
    return {
        component: {"start": _text(span.start), "end": _text(span.end)} for component, span in dates.items()
    }


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
