"""The messages of the ingestion queue: EventBridge envelopes around component events."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import uuid4

from domain.actors import Actor, publisher
from domain.contracts.events import ComponentEvent
from infra.contracts.event_payloads import FieldError, read_event

DETAIL_TYPE = "component_event"

_MAX_ID_LENGTH = 128


class MalformedMessageError(Exception):
    """A message without a valid event; sending it again will not help."""

    def __init__(self, details: list[FieldError]) -> None:
        super().__init__("; ".join(f"{detail.field}: {detail.message}" for detail in details))


class Message(NamedTuple):
    """An event of the bus, who put it there, and the id that the bus gave it."""

    event: ComponentEvent
    actor: Actor
    envelope_id: str | None = None


def read_message(body: str) -> Message:
    """Read the body of a message of the queue.

    If the event has no `created_at`, the `time` of the envelope is used; if it has no `id`, that of the envelope.

    Raises:
        MalformedMessageError: it is not an envelope with a component event.
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
    actor = publisher(envelope.get("account"), envelope.get("source"))
    return Message(payload.to_domain(fresh_key=uuid4().hex), actor, envelope_id_of(envelope))


def envelope_id_of(envelope: Mapping[str, Any]) -> str | None:
    """Return the id that the bus gave to a message; None if what is there cannot be one."""
    found = envelope.get("id")
    is_id = isinstance(found, str) and 0 < len(found) <= _MAX_ID_LENGTH and found.isprintable()
    return found if is_id else None


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
