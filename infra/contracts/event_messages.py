"""The messages of the ingestion queue: EventBridge envelopes around component events."""

import json
from typing import Any, NamedTuple
from uuid import uuid4

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import Actor, ActorKind
from infra.contracts.event_payloads import FieldError, read_event

DETAIL_TYPE = "component_event"


class MalformedMessageError(Exception):
    """A message that holds no event; sending it again will not help."""

    def __init__(self, details: list[FieldError]) -> None:
        super().__init__("; ".join(f"{detail.field}: {detail.message}" for detail in details))


_LONGEST_NAME = 256
"""Characters of an account or a source; EventBridge allows no more."""


class Message(NamedTuple):
    """An event of the bus, and who put it there."""

    event: ComponentEvent
    actor: Actor


def read_message(body: str) -> Message:
    """Read the body of a message of the queue.

    Without a `created_at` of the publisher it is the envelope's `time`, without an `id` the envelope's.

    Raises:
        MalformedMessageError: it is no envelope, or holds no component event.
    """
    envelope = _object(body)
    if envelope.get("detail-type") != DETAIL_TYPE:
        raise _malformed("detail-type", f"must be {DETAIL_TYPE}")
    detail = envelope.get("detail")
    if not isinstance(detail, dict):
        raise _malformed("detail", "must be a JSON object")
    defaults = {"created_at": envelope.get("time"), "id": envelope.get("id")}
    payload = read_event(
        detail | {name: value for name, value in defaults.items() if detail.get(name) is None}
    )
    if isinstance(payload, list):
        raise MalformedMessageError(payload)
    actor = Actor(ActorKind.PUBLISHER, _name(envelope.get("account")), _name(envelope.get("source")))
    return Message(payload.to_domain(fresh_key=uuid4().hex), actor)


def _name(value: object) -> str | None:
    """Return an account or source of an envelope; nothing where what stands there is none."""
    is_name = isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
    return str(value) if is_name else None


def _object(body: str) -> dict[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _malformed("body", "must be JSON") from error
    if not isinstance(envelope, dict):
        raise _malformed("body", "must be a JSON object")
    return envelope


def _malformed(field: str, message: str) -> MalformedMessageError:
    return MalformedMessageError([FieldError(field=field, message=message)])
