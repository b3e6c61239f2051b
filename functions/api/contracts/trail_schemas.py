"""What the API answers about trails, and what corrects them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.timelines import timeline_of
from domain.contracts.trails import (
    Changed,
    Entry,
    Replayed,
    Row,
    RowKind,
    Source,
    States,
    Voided,
)
from functions.api.actors import ActorView
from functions.api.contracts.schemas import SpanView, TimelineView, VerdictView
from infra.contracts.event_payloads import Instant, Payload
from infra.contracts.timeline_store import Decision


class _RowView(BaseModel):
    """What rows of every kind show."""

    key: str = Field(description="Addresses the row within its contract")
    actor: ActorView | None = Field(description="Who did it; null in rows from before actors were stored")
    received_at: Instant
    recorded_at: Instant = Field(description="Since when the trail holds this; `known_at` goes by it")
    source: Source
    request_id: str


def _shared(row: Row) -> dict[str, Any]:
    reception = row.reception
    return {
        "key": row.key,
        "actor": ActorView.of(reception.actor) if reception.actor else None,
        "received_at": reception.received_at,
        "recorded_at": row.recorded_at,
        "source": reception.source,
        "request_id": reception.request_id,
    }


class EntryView(_RowView, VerdictView):
    """A decided event, as it stands in the trail."""

    kind: Literal[RowKind.DECIDED] = Field(description="What the row says happened")
    id: str | None = None
    component: Component

    @classmethod
    def of_entry(cls, entry: Entry) -> Self:
        """Show `entry`."""
        return cls.of(
            entry.event,
            Decision(entry.verdict, entry.message),
            kind=RowKind.DECIDED,
            id=entry.event.id,
            component=entry.event.type.component,
            **_shared(entry),
        )


Spans = dict[Component, SpanView]


def _spans(states: States) -> Spans:
    return {component: SpanView.of(span) for component, span in timeline_of(states).items()}


class VoidedView(_RowView):
    """An event was taken back."""

    kind: Literal[RowKind.VOIDED] = Field(description="What the row says happened")
    voids: str = Field(description="The key of the event")
    reason: str
    before: Spans
    after: Spans


class ReplayedView(_RowView):
    """The whole trail was folded again, which changed the timeline."""

    kind: Literal[RowKind.REPLAYED] = Field(description="What the row says happened")
    events: int = Field(description="Events that were folded")
    before: Spans
    after: Spans


class ChangedView(_RowView):
    """The contract got another list of components."""

    kind: Literal[RowKind.CHANGED] = Field(description="What the row says happened")
    before: list[Component]
    after: list[Component]


RowView = Annotated[EntryView | VoidedView | ReplayedView | ChangedView, Field(discriminator="kind")]


def show_row(row: Row) -> EntryView | VoidedView | ReplayedView | ChangedView:
    """Show a row of any kind."""
    match row:
        case Entry():
            return EntryView.of_entry(row)
        case Changed():
            return ChangedView(
                kind=RowKind.CHANGED, before=list(row.before), after=list(row.after), **_shared(row)
            )
        case Replayed():
            spans = {"before": _spans(row.before), "after": _spans(row.after)}
            return ReplayedView(kind=RowKind.REPLAYED, events=row.events, **spans, **_shared(row))
        case Voided():
            spans = {"before": _spans(row.before), "after": _spans(row.after)}
            return VoidedView(
                kind=RowKind.VOIDED, voids=row.voids, reason=row.reason, **spans, **_shared(row)
            )


class TrailPageView(BaseModel):
    """Some rows of the trail of a contract, in the order of arrival."""

    items: list[RowView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class _CorrectionView(BaseModel):
    """A timeline before and after a correction."""

    before: TimelineView
    after: TimelineView
    changed: bool
    dry_run: bool = Field(description="true where nothing was stored")

    @classmethod
    def of(cls, before: Contract, after: Contract, *, dry_run: bool, **extra: Any) -> Self:  # noqa: ANN401
        """Show what a correction made of a contract, with the `extra` fields of this answer."""
        return cls(
            before=TimelineView.of(before),
            after=TimelineView.of(after),
            changed=before.components != after.components,
            dry_run=dry_run,
            **extra,
        )


class ReplayView(_CorrectionView):
    """What the whole trail says, beside what was stored."""

    events: int = Field(description="Events that were folded")


class VoidView(_CorrectionView):
    """What the timeline is without an event, beside what it was with it."""

    event: EntryView


class VoidPayload(Payload):
    """Why an event is taken back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Sent for the wrong customer"}]})

    reason: Annotated[str, Field(strict=True, min_length=1, max_length=500)]
