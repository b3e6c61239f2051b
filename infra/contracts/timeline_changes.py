"""Changes of timelines: read from the table's stream, published on the bus."""

import json
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.contracts.events import Component
from domain.contracts.timelines import Span, timeline
from infra.contracts.contract_items import read_contract

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "energy-operations"
DETAIL_TYPE = "timeline_changed"

Timeline = Mapping[Component, Span]


class NotPublishedError(Exception):
    """The bus did not take a change; publishing it is to be retried."""


class Change(NamedTuple):
    """What a contract's timeline was and is; of a contract that does not exist it is empty.

    `id` is the stream's own of this change, so that who receives it twice can tell.
    """

    id: str
    contract_number: str
    before: Timeline
    after: Timeline


def change_of(record: Mapping[str, Any]) -> Change | None:
    """Read a record of the stream; None where no date has changed."""
    images = record["dynamodb"]
    before, after = _timeline_of(images.get("OldImage")), _timeline_of(images.get("NewImage"))
    if _known(before) == _known(after):
        return None
    return Change(record["eventID"], number_of(record), before, after)


def present_state(item: Mapping[str, Any] | None, number: str, fresh_id: str) -> Change:
    """Return what announces a contract as its item has it: a change in which nothing changes.

    What is known of the contract is on both sides, so that who keeps timelines takes `after`, and who acts on
    differences finds none.
    """
    state = _timeline_of(item)
    return Change(fresh_id, number, state, state)


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

    def publish(self, change: Change) -> None:
        """Put `change` on the bus.

        Raises:
            NotPublishedError: the bus refused it.
        """
        detail = {
            "id": change.id,
            "contract_number": change.contract_number,
            "before": _show(change.before),
            "after": _show(change.after),
        }
        answer = self.client.put_events(
            Entries=[
                {
                    "EventBusName": self.bus,
                    "Source": SOURCE,
                    "DetailType": DETAIL_TYPE,
                    "Detail": json.dumps(detail),
                }
            ]
        )
        if answer["FailedEntryCount"]:
            raise NotPublishedError(answer["Entries"][0].get("ErrorCode"))


def _show(dates: Timeline) -> dict[str, dict[str, str | None]]:
    return {
        component: {"start": _text(span.start), "end": _text(span.end)} for component, span in dates.items()
    }


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
