"""Routes of timelines."""

from typing import Annotated

from fastapi import Query

from functions.api.checked_routes import checked_router
from functions.api.contracts.dependencies import Contracts, ExistingContract
from functions.api.contracts.schemas import TimelineView
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from infra.contracts.event_payloads import Instant
from infra.contracts.read_history import read_history
from infra.stores import stores

router = checked_router(tags=["events and timelines"])

AsOf = Annotated[
    Instant | None,
    Query(description="What the events created up to this instant mean, refused ones included"),
]
KnownAt = Annotated[Instant | None, Query(description="What the service answered at this instant")]

_ERRORS = describe(
    ErrorCode.CONTRACT_NOT_FOUND,
    ErrorCode.AUDIT_DISABLED,
    ErrorCode.TRAIL_INCOMPLETE,
    ErrorCode.TRAIL_TOO_LONG,
)


@router.get("/contract/{contract_number}/contract_timeline", responses=_ERRORS)
@router.get(
    "/{contract_number}/contract_timeline",
    responses=_ERRORS,
    operation_id="get_timeline_by_number",
    summary="Get Timeline (short address)",
)
async def get_timeline(
    contract: ExistingContract, contracts: Contracts, as_of: AsOf = None, known_at: KnownAt = None
) -> TimelineView:
    """Show from when to when each component of a contract runs.

    Without parameters: what is in force now. With `known_at`: what was in force at that instant, as the
    service answered then; without components before the contract was stored. With `as_of`: what the
    events created up to that instant mean, in the order of `created_at`, which may never have been in
    force. With both: what `as_of` meant by what was known at `known_at`.

    Either parameter reads the whole trail; one of more than 20,000 rows is not read.
    """
    if as_of is not None or known_at is not None:
        contract = read_history(contracts, stores().trails, contract, created=as_of, known=known_at)
    return TimelineView.of(contract)
