"""Routes of the trail: what was decided, and what all of it says."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.trails import Entry, RowKind, Source
from domain.contracts.verdicts import Code
from functions.api.actors import ActorView
from functions.api.contracts.dependencies import Contracts, ExistingContract, Number, Trails
from functions.api.contracts.schemas import TimelineView, VerdictView
from functions.api.dependencies import CursorSeal
from functions.api.error_shape import describe
from infra.contracts.event_payloads import Instant
from infra.contracts.replay import replay
from infra.contracts.timeline_store import Decision

router = APIRouter(tags=["trail"])

ReplayDryRun = Annotated[bool, Query(description="Show the difference and store nothing")]


class EntryView(VerdictView):
    """A decided event, as it stands in the trail."""

    kind: RowKind = Field(description="What the row says happened")
    key: str = Field(description="Addresses the row within its contract")
    actor: ActorView | None = Field(description="Who sent it; null in rows from before actors were stored")
    id: str | None = None
    component: Component
    received_at: Instant
    source: Source
    request_id: str

    @classmethod
    def of_entry(cls, entry: Entry) -> Self:
        """Show `entry`."""
        return cls.of(
            entry.event,
            Decision(entry.verdict, entry.message),
            kind=RowKind.DECIDED,
            key=entry.event.key,
            actor=ActorView.of(entry.reception.actor) if entry.reception.actor else None,
            id=entry.event.id,
            component=entry.event.type.component,
            received_at=entry.reception.received_at,
            source=entry.reception.source,
            request_id=entry.reception.request_id,
        )


class TrailPageView(BaseModel):
    """Some decided events of a contract, in the order of arrival."""

    items: list[EntryView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class ReplayView(BaseModel):
    """What the whole trail says, beside what was stored."""

    before: TimelineView
    after: TimelineView
    changed: bool
    events: int = Field(description="Events that were folded")
    dry_run: bool = Field(description="true where nothing was stored")

    @classmethod
    def of(cls, before: Contract, after: Contract, events: int, *, dry_run: bool) -> "ReplayView":
        """Show what a replay of `events` made of a contract."""
        views = TimelineView.of(before), TimelineView.of(after)
        return cls(
            before=views[0], after=views[1], changed=views[0] != views[1], events=events, dry_run=dry_run
        )


class EventFilter(BaseModel):
    """Which entries of a trail to list."""

    limit: int = Field(default=50, ge=1, le=200, description="Most entries in one answer")
    cursor: str | None = Field(default=None, description="`next_cursor` of the answer before")
    status: Literal["accepted", "rejected"] | None = None
    component: Component | None = None
    code: Code | None = None


@router.get(
    "/contract/{contract_number}/events",
    responses=describe(400, 401, 404, 409, 422, 503),
)
async def list_events(
    contract: ExistingContract,
    trails: Trails,
    seal: CursorSeal,
    wanted: Annotated[EventFilter, Query()],
) -> TrailPageView:
    """List every decided event of a contract in the order of arrival, the newest last.

    An event may show up here about a second after it was answered. With a filter a page may hold
    fewer entries than its limit although more follow.
    """
    scope = f"trail#{contract.number}#{contract.generation}"
    page = trails.page(
        contract,
        wanted.limit,
        after=None if wanted.cursor is None else seal.open(scope, wanted.cursor),
        wanted=wanted.model_dump(include={"status", "component", "code"}, exclude_none=True),
    )
    return TrailPageView(
        items=[EntryView.of_entry(entry) for entry in page.entries],
        next_cursor=None if page.next_after is None else seal.seal(scope, page.next_after),
    )


@router.post("/contract/{contract_number}/replay", responses=describe(401, 404, 409, 422, 503))
async def replay_contract(
    contract_number: Number, contracts: Contracts, trails: Trails, dry_run: ReplayDryRun = True
) -> ReplayView:
    """Fold the whole trail, refused events too, in the order of `created_at`; show or store that.

    A trail of more than 20,000 rows is not folded.
    """
    replayed = replay(contracts, trails, contract_number, dry_run=dry_run)
    return ReplayView.of(replayed.before, replayed.after, replayed.events, dry_run=dry_run)
