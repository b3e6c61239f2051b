"""What the routes of the portfolio take and answer."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from domain.contracts.events import Component
from domain.contracts.trails import Entry
from domain.contracts.verdicts import Code
from domain.portfolio.entries import Counts, Row
from functions.api.contracts.trail_schemas import EntryView
from infra.contracts.event_payloads import CalendarDate
from infra.portfolio.queries import Change, Kind


class Listed(BaseModel):
    """What every list takes."""

    limit: int = Field(default=50, ge=1, le=200, description="Most entries in one answer")
    cursor: str | None = Field(default=None, description="`next_cursor` of the answer before")


class ActiveQuestion(Listed):
    """Which spans to list."""

    component: Component | None = None
    on: CalendarDate | None = Field(default=None, description="Defaults to today in UTC")


class CountsQuestion(BaseModel):
    """Which day to count for."""

    on: CalendarDate | None = Field(default=None, description="Defaults to today in UTC")


class ChangesQuestion(Listed):
    """Which starts and ends to list."""

    component: Component | None = None
    kind: Kind | None = Field(default=None, description="Both if not given")
    from_: CalendarDate | None = Field(
        default=None, alias="from", description="The first day; defaults to today in UTC"
    )
    to: CalendarDate | None = Field(
        default=None,
        description="The day after the last, at most 366 days after the first; defaults to 31 days after it",
    )


class EventsQuestion(Listed):
    """Which decided events to list."""

    day: CalendarDate | None = Field(default=None, description="A day in UTC; defaults to today")
    status: Literal["accepted", "rejected"] | None = None
    code: Code | None = None
    component: Component | None = None


class PortfolioItem(BaseModel):
    """From when to when a component of a contract runs, both included; `end` is null until further notice."""

    contract_number: str
    component: Component
    start: CalendarDate
    end: CalendarDate | None

    @classmethod
    def of(cls, row: Row, **extra: object) -> Self:
        """Show a row, with the `extra` fields of this answer."""
        return cls(
            contract_number=row.number,
            component=row.partition.component,
            start=row.span.start,
            end=row.span.end,
            **extra,
        )


class PortfolioPage(BaseModel):
    """Some spans that run on a day, in no promised order."""

    items: list[PortfolioItem]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class ChangeItem(PortfolioItem):
    """A span that starts or ends on a day of the range."""

    kind: Kind

    @classmethod
    def of_change(cls, change: Change) -> Self:
        """Show a change."""
        return cls.of(change.row, kind=change.kind)


class ChangesPage(BaseModel):
    """Some starts and ends, by date."""

    items: list[ChangeItem]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class CountsItem(BaseModel):
    """How many spans of a component run on the day, start after it, and have ended before it."""

    active: int
    upcoming: int
    ended: int


class PortfolioCountsView(BaseModel):
    """Exact counts for a day."""

    on: CalendarDate
    components: dict[Component, CountsItem]

    @classmethod
    def of(cls, on: CalendarDate, counts: dict[Component, Counts]) -> Self:
        """Show `counts`."""
        shown = {component: CountsItem(**three._asdict()) for component, three in counts.items()}
        return cls(on=on, components=shown)


class EventLogPage(BaseModel):
    """Some events that were decided on a day, the newest first."""

    items: list[EntryView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")

    @classmethod
    def of(cls, entries: list[Entry], next_cursor: str | None) -> Self:
        """Show `entries`."""
        return cls(items=[EntryView.of_entry(entry) for entry in entries], next_cursor=next_cursor)
