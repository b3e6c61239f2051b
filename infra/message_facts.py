"""What names a message of the ingestion queue in the log, whether or not the service can apply it."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from domain.meters.readings import is_meter_id
from infra.contracts import event_messages
from infra.contracts.event_payloads import EventPayload
from infra.meters import reading_messages

_LOGGED = {"id": "event_id", "contract_number": "contract_number", "date": "date", "created_at": "created_at"}


def log_facts(body: str) -> dict[str, str]:
    """Return the ids of a message, and for an event its contract and its times.

    Only values that are valid, as a log is no place for what somebody sent by mistake.
    """
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(envelope, dict):
        return {}
    facts = {"envelope_id": event_messages.envelope_id_of(envelope)} | _detail_facts(envelope)
    return {name: fact for name, fact in facts.items() if fact is not None}


def _detail_facts(envelope: Mapping[str, Any]) -> dict[str, str | None]:
    kind, detail = envelope.get("detail-type"), envelope.get("detail")
    if not isinstance(detail, dict):
        return {}
    if kind == reading_messages.DETAIL_TYPE:
        meter_id = detail.get("smart_meter_id")
        return {"smart_meter_id": meter_id if isinstance(meter_id, str) and is_meter_id(meter_id) else None}
    if kind != event_messages.DETAIL_TYPE:
        return {}
    wrong = _wrong_fields(detail)
    facts = {name: detail.get(field) for field, name in _LOGGED.items() if field not in wrong}
    # A valid event without an id gets that of its envelope.
    return facts if "id" in wrong or facts["event_id"] else facts | _own_id(envelope)


def _own_id(envelope: Mapping[str, Any]) -> dict[str, str | None]:
    return {"event_id": event_messages.envelope_id_of(envelope)}


def _wrong_fields(detail: dict[str, Any]) -> set[str]:
    """Return the fields of an event that the service does not accept."""
    try:
        EventPayload.model_validate(detail)
    except ValidationError as error:
        return {str(each["loc"][0]) for each in error.errors(include_input=False) if each["loc"]}
    return set()
