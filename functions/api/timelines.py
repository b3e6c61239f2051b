"""Routes of events and of the timelines they draw."""

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Query

from domain.contracts import ContractNotFoundError
from domain.timelines import decide
from functions.api.deps import Contracts, Number, Timelines, require_caller
from functions.api.errors import describe
from functions.api.schemas import (
    BulkPayload,
    BulkResult,
    BulkVerdict,
    EventVerdict,
    MalformedEvent,
    TimelineView,
)
from functions.payloads import EventPayload, read_event
from infra.telemetry import record

router = APIRouter(tags=["events and timelines"], dependencies=[Depends(require_caller)])

DryRun = Annotated[bool, Query(description="Answer the verdict and store nothing")]


@router.post("/event", response_model_exclude_none=True, responses=describe(401, 413, 422, 503))
async def post_event(
    payload: EventPayload, contracts: Contracts, timelines: Timelines, dry_run: DryRun = False
) -> EventVerdict:
    """Apply one start or end event and say whether it counts."""
    event = payload.to_domain(fresh_key=uuid4().hex)
    if dry_run:
        return EventVerdict.of(event, decide(contracts.get(event.contract_number), event), dry_run=True)
    verdict = timelines.apply(event)
    record([(event, verdict)])
    return EventVerdict.of(event, verdict)


@router.post("/events", response_model_exclude_none=True, responses=describe(401, 413, 422, 503))
async def post_events(payload: BulkPayload, timelines: Timelines) -> BulkResult:
    """Apply up to 500 events in the order of their `created_at`, ties in the order given."""
    read = [read_event(entry) for entry in payload.events]
    events = {
        index: entry.to_domain(fresh_key=uuid4().hex)
        for index, entry in enumerate(read)
        if isinstance(entry, EventPayload)
    }
    verdicts = dict(zip(events, timelines.apply_all(list(events.values())), strict=True))
    record([(events[index], verdict) for index, verdict in verdicts.items()])
    return BulkResult(
        results=[
            MalformedEvent(index=index, message=f"{entry[0].field}: {entry[0].message}", details=entry)
            if isinstance(entry, list)
            else BulkVerdict.of(events[index], verdicts[index], index=index)
            for index, entry in enumerate(read)
        ]
    )


@router.get("/contract/{contract_number}/contract_timeline", responses=describe(401, 404, 422, 503))
@router.get("/{contract_number}/contract_timeline", responses=describe(401, 404, 422, 503))
async def get_timeline(contract_number: Number, contracts: Contracts) -> TimelineView:
    """Show from when to when each component of a contract runs."""
    contract = contracts.get(contract_number)
    if contract is None:
        raise ContractNotFoundError(contract_number)
    return TimelineView.of(contract)
