"""The trail of a contract: every event that was decided, and what follows from all of them.

Arrival order is not harmless: an end that arrives before its start is refused, and stays refused
when the start arrives. Folding the trail again in the order of `created_at`, refused events
included, gives the timeline that the publishers meant.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.actors import Actor
from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import ComponentEvent
from domain.contracts.timelines import advance
from domain.contracts.verdicts import Verdict, decide


class Source(StrEnum):
    """The way an event came in."""

    API = "api"
    BUS = "bus"


@dataclass(frozen=True, slots=True)
class Reception:
    """How and when an event came in, and from whom; rows stored before actors were have none."""

    received_at: datetime
    source: Source
    request_id: str
    actor: Actor | None = None


class RowKind(StrEnum):
    """What a row of a trail says happened."""

    DECIDED = "decided"


MOST_ROWS = 20_000
"""Rows that are read, at most, where an answer needs the whole trail."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A decided event, as it stands in the trail for good."""

    event: ComponentEvent
    verdict: Verdict
    message: str
    reception: Reception


class AuditDisabledError(Exception):
    """What was asked for follows from the trail, and none is kept."""

    def __init__(self) -> None:
        super().__init__("No trail of events is kept here.")


class TrailIncompleteError(Exception):
    """An event that counts is not in the trail: it came in while none was kept."""

    def __init__(self, contract_number: str) -> None:
        super().__init__(f"Events of contract {contract_number} came in while no trail was kept.")


class TrailTooLongError(Exception):
    """The trail has more rows than one answer may read."""

    def __init__(self, contract_number: str) -> None:
        super().__init__(f"The trail of contract {contract_number} has more than {MOST_ROWS} rows.")


class IdempotencyKeyReusedError(Exception):
    """An id, or idempotency key, came again with another payload."""

    def __init__(self) -> None:
        super().__init__("This id was used before with another payload.")


def require_whole(contract: Contract, entries: Collection[Entry], until: datetime | None = None) -> None:
    """Make sure that the events that count, up to `until`, are among `entries`.

    Raises:
        TrailIncompleteError: folding `entries` would lose what is known.
    """
    keys = {entry.event.key for entry in entries}
    for state in contract.components.values():
        for occurrence in (state.start, state.end):
            counts = occurrence is not None and (until is None or occurrence.created_at <= until)
            if counts and occurrence and occurrence.key not in keys:
                raise TrailIncompleteError(contract.number)


def in_order(entry: Entry) -> tuple[datetime, datetime, str]:
    """Return what sorts entries in the order of folding: `created_at`, ties by arrival."""
    return entry.event.created_at, entry.reception.received_at, entry.event.key


def fold(contract: Contract, entries: Iterable[Entry]) -> Contract:
    """Return `contract` as `entries` make it, in the order of `created_at`, ties by arrival.

    The former verdicts do not count: each event is judged anew against what came before it.
    """
    folded = contract.with_states(dict.fromkeys(contract.components, ComponentState()))
    for entry in sorted(entries, key=in_order):
        if decide(folded, entry.event).accepted:
            component = entry.event.type.component
            state = advance(folded.components[component], entry.event)
            folded = folded.with_states({**folded.components, component: state})
    return folded
