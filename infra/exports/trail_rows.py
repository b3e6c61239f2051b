"""The rows of a trail in a file of contracts, with the names that the API gives them."""

from datetime import date
from typing import Any

from domain.contracts.events import ComponentEvent, Occurrence
from domain.contracts.timelines import timeline_of
from domain.contracts.trails import Changed, Entry, Replayed, Row, RowKind, States, Voided
from domain.instants import format_instant


def show_row(row: Row) -> dict[str, Any]:
    """Show an event with what was answered, or a correction with what it changed, ready for JSON."""
    match row:
        case Entry():
            shown = {"kind": RowKind.DECIDED, **_event(row)}
        case Voided():
            shown = {"kind": RowKind.VOIDED, "voids": row.voids, "reason": row.reason, **_states(row)}
        case Replayed():
            shown = {"kind": RowKind.REPLAYED, "events": row.events, **_states(row)}
        case Changed():
            shown = {"kind": RowKind.CHANGED, "before": row.before, "after": row.after}
    reception = row.reception
    shown |= {
        "key": row.key,
        "received_at": format_instant(reception.received_at),
        "recorded_at": format_instant(row.recorded_at),
        "source": reception.source,
        "request_id": reception.request_id,
    }
    if actor := reception.actor:
        shown["actor"] = {"kind": actor.kind, "id": actor.id, "name": actor.name}
    return shown


def _event(entry: Entry) -> dict[str, Any]:
    blocker = entry.verdict.blocked_by
    return {
        "id": entry.event.id,
        **_statement(entry.event),
        "status": "accepted" if entry.verdict.accepted else "rejected",
        "code": entry.verdict.code,
        "message": entry.message,
        "blocked_by": _statement(blocker) if blocker else None,
    }


def _statement(event: ComponentEvent | Occurrence) -> dict[str, str]:
    return {
        "type": event.type,
        "date": event.date.isoformat(),
        "created_at": format_instant(event.created_at),
    }


def _states(row: Voided | Replayed) -> dict[str, Any]:
    return {"before": _spans(row.before), "after": _spans(row.after)}


def _spans(states: States) -> dict[str, dict[str, str | None]]:
    return {
        component: {"start": _day(span.start), "end": _day(span.end)}
        for component, span in timeline_of(states).items()
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
