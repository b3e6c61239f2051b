"""Routes of the portfolio: what runs, how much, what starts and ends, and what was decided on a day."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError

from domain.contracts.events import Component
from domain.contracts.trails import AuditDisabledError
from functions.api.checked_routes import checked_router
from functions.api.dependencies import ListCursors, Pages
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.portfolio.dependencies import Log, Portfolio
from functions.api.portfolio.schemas import (
    ActiveQuestion,
    ChangeItem,
    ChangesPage,
    ChangesQuestion,
    CountsQuestion,
    EventLogPage,
    EventsQuestion,
    PortfolioCountsView,
    PortfolioItem,
    PortfolioPage,
)
from infra.contracts.event_payloads import utc_now
from infra.portfolio.queries import Kind
from infra.settings import Settings, settings

router = checked_router(tags=["portfolio"])

_DEFAULT_DAYS = 31
_MOST_DAYS = 366


@router.get("/portfolio")
async def list_portfolio(
    portfolio: Portfolio, pages: Pages, asked: Annotated[ActiveQuestion, Query()]
) -> PortfolioPage:
    """List the spans that run on a day, from the start through the end date, of one component or of all.

    No span shows up twice, in no promised order; a change shows up within seconds. A page may hold
    fewer spans than its limit although more follow.
    """
    scope = f"portfolio {asked.component} {asked.on}"
    day, after = _resumed(pages, scope, asked.cursor, asked.on)
    found = portfolio.active(_components(asked.component), day, asked.limit, after)
    return PortfolioPage(
        items=[PortfolioItem.of(row) for row in found.rows],
        next_cursor=_next_cursor(pages, scope, day, found.next_after),
    )


@router.get("/portfolio/counts")
async def count_portfolio(
    portfolio: Portfolio, asked: Annotated[CountsQuestion, Query()]
) -> PortfolioCountsView:
    """Count the spans of each component that run on a day, start after it, or have ended before it; exactly."""
    on = asked.on or utc_now().date()
    return PortfolioCountsView.of(on, portfolio.counts(on))


@router.get("/portfolio/changes")
async def list_portfolio_changes(
    portfolio: Portfolio, pages: Pages, asked: Annotated[ChangesQuestion, Query()]
) -> ChangesPage:
    """List the spans that start or end in a time, by date; without `kind` both, each with its own.

    The time is half-open: up to but without `to`.
    """
    scope = f"changes {asked.component} {asked.kind} {asked.from_} {asked.to}"
    first, after = _resumed(pages, scope, asked.cursor, asked.from_)
    found = portfolio.changes(
        _components(asked.component),
        [asked.kind] if asked.kind else list(Kind),
        (first, _end_of(first, asked.to)),
        asked.limit,
        after,
    )
    return ChangesPage(
        items=[ChangeItem.of_change(change) for change in found.changes],
        next_cursor=_next_cursor(pages, scope, first, found.next_after),
    )


@router.get("/events", responses=describe(ErrorCode.AUDIT_DISABLED))
async def list_events(log: Log, pages: Pages, asked: Annotated[EventsQuestion, Query()]) -> EventLogPage:
    """List what was decided on a day in UTC, all contracts together, the newest first.

    Kept for some days, thirty by default; the trails of contracts keep everything. An event shows up
    within seconds. With a filter a page may hold fewer events than its limit although more follow.
    """
    if not settings(Settings).enable_event_audit:
        raise AuditDisabledError
    scope = f"events {asked.day} {asked.status} {asked.code} {asked.component}"
    day, after = _resumed(pages, scope, asked.cursor, asked.day)
    if not log.keeps(day, utc_now().date()):
        return EventLogPage(items=[], next_cursor=None)
    wanted = asked.model_dump(include={"status", "code", "component"}, exclude_none=True)
    page = log.page(day, asked.limit, after, wanted)
    return EventLogPage.of(page.entries, _next_cursor(pages, scope, day, page.next_after))


def _components(component: Component | None) -> list[Component]:
    return [component] if component else list(Component)


def _resumed(pages: ListCursors, scope: str, cursor: str | None, day: date | None) -> tuple[date, str | None]:
    """Return the day that is asked about, and where to go on: a default stays that of the first page."""
    position = pages.position(scope, cursor)
    if position is None:
        return day or utc_now().date(), None
    first, _, after = position.partition("|")
    return date.fromisoformat(first), after


def _next_cursor(pages: ListCursors, scope: str, day: date, after: str | None) -> str | None:
    return pages.next_cursor(scope, None if after is None else f"{day.isoformat()}|{after}")


def _end_of(first: date, to: date | None) -> date:
    """Return the day after the last one of a range.

    Raises:
        RequestValidationError: the range is empty, too long, or leaves the calendar.
    """
    if to is None:
        return first + timedelta(days=min(_DEFAULT_DAYS, (date.max - first).days))
    if not timedelta(0) < to - first <= timedelta(days=_MOST_DAYS):
        message = f"must be 1 to {_MOST_DAYS} days after from"
        raise RequestValidationError([{"type": "value_error", "loc": ("query", "to"), "msg": message}])
    return to
