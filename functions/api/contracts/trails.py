"""Routes of the trail: what was decided and corrected, and corrections."""

import re
from typing import Annotated, Literal, NamedTuple

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, Field

from domain.contracts.contract import ContractNotFoundError
from domain.contracts.events import Component
from domain.contracts.trails import EventNotFoundError
from domain.contracts.verdicts import Code
from domain.users import Role
from functions.api.checked_routes import checked_router
from functions.api.contracts.dependencies import Contracts, Correction, Number, Trails
from functions.api.contracts.trail_schemas import (
    EntryView,
    ReplayView,
    RowView,
    TrailPageView,
    VoidPayload,
    VoidView,
    show_row,
)
from functions.api.dependencies import Pages
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.error_statuses import ForbiddenError
from infra.contracts.contract_store import ContractStore
from infra.contracts.replay import replay
from infra.contracts.void_event import Target, void_event

router = checked_router(tags=["trail"])

_KEY = re.compile(r"[0-9a-z-]{1,64}", re.ASCII)
_MOST_GENERATIONS = 1_000_000_000
_FOLDED = (ErrorCode.AUDIT_DISABLED, ErrorCode.TRAIL_INCOMPLETE, ErrorCode.TRAIL_TOO_LONG)

CorrectionDryRun = Annotated[bool, Query(description="Show the difference and store nothing")]
Key = Annotated[str, Path(description="`key` of a row of the trail", examples=["0" * 32])]
_GENERATION = Field(
    default=None,
    ge=0,
    le=_MOST_GENERATIONS,
    description="For admins: which contract of this number, counted from 1; 0 is while there was none",
)
Generation = Annotated[int | None, Query(description=_GENERATION.description, ge=0, le=_MOST_GENERATIONS)]


async def _to_void(key: Key, payload: VoidPayload) -> Target:
    return Target(key, payload.reason)


ToVoid = Annotated[Target, Depends(_to_void)]


class EventFilter(BaseModel):
    """Which rows of a trail to list; with a status, component or code, decided events alone."""

    limit: int = Field(default=50, ge=1, le=200, description="Most entries in one answer")
    cursor: str | None = Field(default=None, description="`next_cursor` of the answer before")
    status: Literal["accepted", "rejected"] | None = None
    component: Component | None = None
    code: Code | None = None
    generation: int | None = _GENERATION


class _TrailName(NamedTuple):
    number: str
    generation: int


def _trail_name(
    number: str, generation: int | None, contracts: ContractStore, request: Request
) -> _TrailName:
    """Return which trail is asked for: that of the present contract, or for admins that of any generation.

    Raises:
        ContractNotFoundError: there is no present contract.
        ForbiddenError: a generation was named by somebody who is no admin.
    """
    if generation is not None:
        if not request.state.caller.role.includes(Role.ADMIN):
            raise ForbiddenError
        return _TrailName(number, generation)
    contract = contracts.get(number)
    if contract is None:
        raise ContractNotFoundError(number)
    return _TrailName(number, contract.generation)


@router.get(
    "/contract/{contract_number}/events",
    responses=describe(ErrorCode.CONTRACT_NOT_FOUND),
)
async def list_contract_events(
    request: Request,
    contract_number: Number,
    contracts: Contracts,
    trails: Trails,
    pages: Pages,
    wanted: Annotated[EventFilter, Query()],
) -> TrailPageView:
    """List every decided event and correction of a contract in the order of arrival, the newest last.

    A row may show up here about a second after it was answered. With a filter only decided events are
    listed, and a page may hold fewer than its limit although more follow.
    """
    name = _trail_name(contract_number, wanted.generation, contracts, request)
    scope = f"trail#{name.number}#{name.generation}"
    page = trails.page(
        *name,
        wanted.limit,
        after=pages.position(scope, wanted.cursor),
        wanted=wanted.model_dump(include={"status", "component", "code"}, exclude_none=True),
    )
    return TrailPageView(
        items=[show_row(row) for row in page.rows],
        next_cursor=pages.next_cursor(scope, page.next_after),
    )


@router.get(
    "/contract/{contract_number}/events/{key}",
    responses=describe(ErrorCode.CONTRACT_NOT_FOUND, ErrorCode.EVENT_NOT_FOUND),
)
async def get_contract_event(
    request: Request,
    contract_number: Number,
    key: Key,
    contracts: Contracts,
    trails: Trails,
    generation: Generation = None,
) -> RowView:
    """Show one row of the trail of a contract, as soon as it was answered."""
    name = _trail_name(contract_number, generation, contracts, request)
    row = trails.row(*name, key) if _KEY.fullmatch(key) else None
    if row is None:
        raise EventNotFoundError(contract_number)
    return show_row(row)


@router.post("/contract/{contract_number}/replay", responses=describe(ErrorCode.CONTRACT_NOT_FOUND, *_FOLDED))
async def replay_contract(
    contract_number: Number,
    contracts: Contracts,
    trails: Trails,
    by: Correction,
    dry_run: CorrectionDryRun = True,
) -> ReplayView:
    """Fold the whole trail, refused events too, in the order of `created_at`; show or store that.

    Voided events are left out. What is stored leaves a row `replayed`; where nothing changes there is
    none. A trail of more than 20,000 rows is not folded.
    """
    done = replay(contracts, trails, contract_number, by, dry_run=dry_run)
    return ReplayView.of(done.before, done.after, dry_run=dry_run, events=done.events)


@router.post(
    "/contract/{contract_number}/events/{key}/void",
    responses=describe(
        ErrorCode.CONTRACT_NOT_FOUND, ErrorCode.EVENT_NOT_FOUND, ErrorCode.ALREADY_VOIDED, *_FOLDED
    ),
    operation_id="void_event",
    summary="Void Event",
)
async def void(
    contract_number: Number,
    target: ToVoid,
    contracts: Contracts,
    trails: Trails,
    by: Correction,
    dry_run: CorrectionDryRun = True,
) -> VoidView:
    """Take one event back: its component becomes what its other events give; show or store that.

    The event stays in the trail, and a row `voided` names it; sent again it gets its first answer.
    """
    done = void_event(contracts, trails, contract_number, target, by, dry_run=dry_run)
    return VoidView.of(done.before, done.after, dry_run=dry_run, event=EntryView.of_entry(done.entry))
