"""Routes of events that are sent.

That of one event is called most often, and FastAPI takes about 1 % of its time for each dependency: it has none of its own.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from uuid import uuid4

from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import IdempotencyKeyReusedError
from domain.contracts.verdicts import decide, explain
from functions.api.checked_routes import checked_router
from functions.api.contracts.dependencies import Received, Timelines, reception
from functions.api.contracts.schemas import (
    BulkPayload,
    BulkResult,
    BulkVerdict,
    EventVerdict,
    UnusableEntry,
)
from functions.api.contracts.verdict_codes import BULK_EXAMPLES, VERDICT_EXAMPLES
from functions.api.dependencies import IDEMPOTENCY_KEY_PARAMETER, idempotency_key
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from infra.contracts.apply_events import Arrival, Outcome, apply_all
from infra.contracts.event_payloads import EventPayload, read_event
from infra.contracts.timeline_store import Decision
from infra.stores import stores
from infra.telemetry import Decided, facts_of, logger, reason_of, report
from infra.write_outcomes import BusyError, OutcomeUnknownError, PartlyAppliedError

router = checked_router(tags=["events and timelines"])

_MICROSECOND = timedelta(microseconds=1)
_TWO_IDS = {
    "type": "two_ids",
    "loc": ("header", "Idempotency-Key"),
    "msg": "must be the event's id if both are given",
}

DryRun = Annotated[
    bool, Query(description="Answer what the rules say now, whatever the id, and store nothing")
]


@router.post(
    "/event",
    response_model_exclude_none=True,
    responses=VERDICT_EXAMPLES | describe(ErrorCode.IDEMPOTENCY_KEY_REUSED),
    openapi_extra={"parameters": [IDEMPOTENCY_KEY_PARAMETER]},
)
async def post_event(request: Request, payload: EventPayload, dry_run: DryRun = False) -> EventVerdict:
    """Apply one start or end event and say whether it counts."""
    key = idempotency_key(request)
    if payload.id is None and key is not None:
        payload = payload.model_copy(update={"id": key})
    elif key not in (None, payload.id):
        raise RequestValidationError([_TWO_IDS])
    event = payload.to_domain(fresh_key=uuid4().hex)
    if dry_run:
        verdict = decide(stores().contracts.get(event.contract_number), event)
        return EventVerdict.of(event, Decision(verdict, explain(verdict, event)), dry_run=True)
    received = await reception(request)
    logger.thread_safe_append_keys(
        **facts_of(event)
    )  # for the rest of the request: errors are logged outside
    decision = stores().timelines.apply(event, received)
    if not decision.repeated:
        report([Decided(event, decision.verdict, received.actor)])
    return EventVerdict.of(event, decision, repeated=decision.repeated or None)


@router.post("/events", response_model_exclude_none=True, responses=BULK_EXAMPLES)
async def post_events(payload: BulkPayload, timelines: Timelines, received: Received) -> BulkResult:
    """Apply up to 500 events in the order of their `created_at`, ties in the order given.

    Where one could not be decided the answer is 503; with ids, all may then be sent again.
    """
    entries = [read_event(entry) for entry in payload.events]
    events = {
        index: entry.to_domain(fresh_key=uuid4().hex)
        for index, entry in enumerate(entries)
        if isinstance(entry, EventPayload)
    }
    # Received one after another: the trail folds events of the same instant in the order they came.
    arrivals = [
        Arrival(event, replace(received, received_at=received.received_at + index * _MICROSECOND))
        for index, event in events.items()
    ]
    outcomes = dict(zip(events, apply_all(timelines, arrivals), strict=True))
    report(
        Decided(events[index], outcome.verdict, received.actor)
        for index, outcome in outcomes.items()
        if isinstance(outcome, Decision) and not outcome.repeated
    )
    _raise_undecided(events, outcomes)
    return BulkResult(
        results=[
            UnusableEntry.malformed(index, entry)
            if isinstance(entry, list)
            else _show(index, events[index], outcomes[index])
            for index, entry in enumerate(entries)
        ]
    )


def _raise_undecided(events: Mapping[int, ComponentEvent], outcomes: Mapping[int, Outcome]) -> None:
    """Log each event that was not decided, and raise why one was not: an unknown outcome before everything else.

    Raises:
        OutcomeUnknownError: an answer was lost.
        PartlyAppliedError: nothing of one event was stored, but something of another.
        Exception: what happened to an event, where none was decided.
    """
    undecided = {
        index: outcome
        for index, outcome in outcomes.items()
        if not isinstance(outcome, Decision | IdempotencyKeyReusedError)
    }
    for index, error in undecided.items():
        logger.warning("Event not decided", reason=reason_of(error), **facts_of(events[index]))
    errors = list(undecided.values())
    for error in errors:
        if isinstance(error, OutcomeUnknownError):
            raise error
    for error in errors:
        if isinstance(error, BusyError) and len(errors) < len(outcomes):
            raise PartlyAppliedError from error
        raise error


def _show(index: int, event: ComponentEvent, outcome: Outcome) -> BulkVerdict | UnusableEntry:
    if not isinstance(outcome, Decision):
        return UnusableEntry(index=index, code="idempotency_key_reused", message=str(outcome))
    return BulkVerdict.of(event, outcome, index=index, repeated=outcome.repeated or None)
