"""Routes of timelines."""

from typing import Annotated

from fastapi import APIRouter, Query

from functions.api.contracts.dependencies import Contracts, ExistingContract
from functions.api.contracts.schemas import TimelineView
from functions.api.error_shape import describe
from infra.contracts.event_payloads import Instant
from infra.contracts.read_history import read_history
from infra.stores import stores

router = APIRouter(tags=["events and timelines"])

AsOf = Annotated[
    Instant | None,
    Query(description="What the events created up to this instant mean, refused ones included"),
]
KnownAt = Annotated[Instant | None, Query(description="What the service answered at this instant")]


@router.get("/contract/{contract_number}/contract_timeline", responses=describe(401, 404, 409, 422, 503))
@router.get("/{contract_number}/contract_timeline", responses=describe(401, 404, 409, 422, 503))
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
