"""What the API answers."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType, Occurrence
from domain.contracts.timelines import Span, timeline
from domain.contracts.verdicts import Code
from functions.api.contracts.verdict_codes import ACCEPTED, REFUSED
from infra.contracts.event_payloads import CalendarDate, FieldError, Instant, Payload
from infra.contracts.timeline_store import Decision


class ContractView(BaseModel):
    """A contract as it was created."""

    contract_number: str
    components: list[Component]
    created_at: Instant

    @classmethod
    def of(cls, contract: Contract) -> "ContractView":
        """Show `contract` without the states of its components."""
        return cls(
            contract_number=contract.number,
            components=list(contract.components),
            created_at=contract.created_at,
        )


class ContractPage(BaseModel):
    """Some contracts in the order of their numbers."""

    items: list[ContractView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class SpanView(BaseModel):
    """The dates a component runs from and to; null where nothing is known."""

    start: CalendarDate | None
    end: CalendarDate | None

    @classmethod
    def of(cls, span: Span) -> "SpanView":
        """Show `span`."""
        return cls(start=span.start, end=span.end)


class TimelineView(BaseModel):
    """The dates of every component of a contract, in the contract's own order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "contract_number": "1001",
                    "components": {"energy_supply": {"start": "2024-01-01", "end": None}},
                }
            ]
        }
    )

    contract_number: str
    components: dict[Component, SpanView]

    @classmethod
    def of(cls, contract: Contract) -> "TimelineView":
        """Show what the accepted events of `contract` say."""
        return cls(
            contract_number=contract.number,
            components={component: SpanView.of(span) for component, span in timeline(contract).items()},
        )


class OccurrenceView(BaseModel):
    """The earlier event because of which an event was refused."""

    type: EventType
    date: CalendarDate
    created_at: Instant

    @classmethod
    def of(cls, occurrence: Occurrence) -> "OccurrenceView":
        """Show `occurrence`."""
        return cls(type=occurrence.type, date=occurrence.date, created_at=occurrence.created_at)


class VerdictView(BaseModel):
    """Whether an event counts, and if not, by which rule and because of which earlier event."""

    status: Literal["accepted", "rejected"]
    code: Code
    message: str
    contract_number: str
    type: EventType
    date: CalendarDate
    created_at: Instant
    blocked_by: OccurrenceView | None = None

    @classmethod
    def of(cls, event: ComponentEvent, decision: Decision, **extra: Any) -> Self:  # noqa: ANN401
        """Show the `decision` on `event`, with the `extra` fields of this answer."""
        verdict = decision.verdict
        return cls(
            status="accepted" if verdict.accepted else "rejected",
            code=verdict.code,
            message=decision.message,
            contract_number=event.contract_number,
            type=event.type,
            date=event.date,
            created_at=event.created_at,
            blocked_by=OccurrenceView.of(verdict.blocked_by) if verdict.blocked_by else None,
            **extra,
        )


class EventVerdict(VerdictView):
    """The answer to an event that was sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [ACCEPTED, REFUSED]})

    dry_run: bool | None = Field(default=None, description="true where nothing was stored")
    repeated: bool | None = Field(
        default=None,
        description="true where the event was decided before under the same id",
    )


class BulkVerdict(EventVerdict):
    """The verdict on the event at `index` of the list that was sent."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [ACCEPTED | {"index": 0}, REFUSED | {"index": 1}]}
    )

    index: int


class UnusableEntry(BaseModel):
    """The verdict on an entry that is no event, or that has the id of another event."""

    status: Literal["rejected"] = "rejected"
    code: Literal["malformed_event", "idempotency_key_reused"]
    message: str
    details: list[FieldError] = []
    index: int

    @classmethod
    def malformed(cls, index: int, details: list[FieldError]) -> "UnusableEntry":
        """Show what is wrong with the entry at `index`."""
        message = f"{details[0].field}: {details[0].message}"
        return cls(code="malformed_event", message=message, details=details, index=index)


class BulkPayload(Payload):
    """Events to be applied in the order of their `created_at`."""

    events: list[Any] = Field(
        max_length=500,
        description="An entry that is no event gets its own verdict and does not affect the others",
        json_schema_extra={"items": {"$ref": "#/components/schemas/EventPayload"}},
    )


class BulkResult(BaseModel):
    """One verdict for each entry, in the order they were sent."""

    results: list[BulkVerdict | UnusableEntry]
