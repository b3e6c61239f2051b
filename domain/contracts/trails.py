"""The trail of a contract: every event that was decided, and every correction that was made.

Arrival order is not harmless: an end that arrives before its start is refused, and stays refused
when the start arrives. Folding the trail again in the order of `created_at`, refused events
included, gives the timeline that the publishers meant. Voided events are left out.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.actors import Actor
from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import Component, ComponentEvent
from domain.contracts.timelines import advance
from domain.contracts.verdicts import Verdict, decide


class Source(StrEnum):
    """The way an event came in."""

    API = "api"
    BUS = "bus"


@dataclass(frozen=True, slots=True)
class Reception:
    """How and when an event or a correction came in, and from whom; the oldest rows name no actor."""

    received_at: datetime
    source: Source
    request_id: str
    actor: Actor | None = None


class RowKind(StrEnum):
    """What a row of a trail says happened."""

    DECIDED = "decided"
    VOIDED = "voided"
    REPLAYED = "replayed"
    CHANGED = "changed"


MOST_ROWS = 20_000
"""Rows that are read, at most, where an answer needs the whole trail."""

States = Mapping[Component, ComponentState]


@dataclass(frozen=True, slots=True)
class Entry:
    """A decided event, as it stands in the trail for good.

    `written_at` is when its row was written, moments after it was received; rows stored before this
    was recorded have none.
    """

    event: ComponentEvent
    verdict: Verdict
    message: str
    reception: Reception
    written_at: datetime | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """What addresses the row within its contract."""
        return self.event.key

    @property
    def recorded_at(self) -> datetime:
        """Since when the trail holds this."""
        return self.written_at or self.reception.received_at


@dataclass(frozen=True, slots=True)
class Voided:
    """An event was taken back; `voids` is its key, `before` and `after` are the states of all components."""

    key: str
    reception: Reception
    recorded_at: datetime
    voids: str
    reason: str
    before: States
    after: States


@dataclass(frozen=True, slots=True)
class Replayed:
    """The trail was folded anew, and gave other states; `events` counts what was folded."""

    key: str
    reception: Reception
    recorded_at: datetime
    events: int
    before: States
    after: States


@dataclass(frozen=True, slots=True)
class Changed:
    """The contract got another list of components."""

    key: str
    reception: Reception
    recorded_at: datetime
    before: tuple[Component, ...]
    after: tuple[Component, ...]


Correction = Voided | Replayed | Changed
Row = Entry | Correction


@dataclass(frozen=True, slots=True)
class Trail:
    """All rows of a contract: events by `created_at`, ties by arrival, and corrections as recorded."""

    entries: tuple[Entry, ...]
    corrections: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "Trail":
        """Return the trail that `rows` are, whatever their order."""
        entries, corrections = [], []
        for row in rows:
            if isinstance(row, Entry):
                entries.append(row)
            else:
                corrections.append(row)
        corrections.sort(key=lambda row: row.recorded_at)
        return cls(tuple(sorted(entries, key=in_order)), tuple(corrections))

    def until(self, known_at: datetime) -> "Trail":
        """Return the rows recorded up to and including an instant."""
        return Trail(
            tuple(row for row in self.entries if row.recorded_at <= known_at),
            tuple(row for row in self.corrections if row.recorded_at <= known_at),
        )

    @property
    def voided(self) -> frozenset[str]:
        """The keys of the events that were voided."""
        return frozenset(row.voids for row in self.corrections if isinstance(row, Voided))

    @property
    def standing(self) -> tuple[Entry, ...]:
        """The events that were not voided."""
        voided = self.voided
        return tuple(entry for entry in self.entries if entry.key not in voided)

    @property
    def last_recorded_at(self) -> datetime | None:
        """When the newest row was recorded."""
        return max((row.recorded_at for row in (*self.entries, *self.corrections)), default=None)


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
    """An id, or idempotency key, was used before with another payload."""

    def __init__(self) -> None:
        super().__init__("This id was used before with another payload.")


class EventNotFoundError(Exception):
    """The trail has no such row, or it is not an event."""

    def __init__(self, contract_number: str) -> None:
        super().__init__(f"Contract {contract_number} has no such event.")


class AlreadyVoidedError(Exception):
    """The event was voided before."""

    def __init__(self) -> None:
        super().__init__("This event was voided before.")


def require_whole(contract: Contract, entries: Collection[Entry], until: datetime | None = None) -> None:
    """Make sure that the events that count, up to `until`, are among `entries`.

    Raises:
        TrailIncompleteError: folding `entries` would lose what is known.
    """
    keys = {entry.key for entry in entries}
    for state in contract.components.values():
        for occurrence in (state.start, state.end):
            counts = occurrence is not None and (until is None or occurrence.created_at <= until)
            if counts and occurrence and occurrence.key not in keys:
                raise TrailIncompleteError(contract.number)


def in_order(entry: Entry) -> tuple[datetime, datetime, str]:
    """Return what sorts entries in the order of folding: `created_at`, ties by arrival."""
    return entry.event.created_at, entry.reception.received_at, entry.key


def fold(contract: Contract, entries: Iterable[Entry]) -> Contract:
    """Return `contract` as `entries` make it, in the order of `created_at`, ties by arrival.

    The former verdicts do not count: each event is judged anew against what came before it, and by
    the components that `contract` has.
    """
    folded = contract.with_states(dict.fromkeys(contract.components, ComponentState()))
    for entry in sorted(entries, key=in_order):
        if decide(folded, entry.event).accepted:
            component = entry.event.type.component
            state = advance(folded.components[component], entry.event)
            folded = folded.with_states({**folded.components, component: state})
    return folded


def void(contract: Contract, trail: Trail, key: str) -> Contract:
    """Return `contract` without the event `key`: its component is what its other events give.

    The other components stay as they are, even where folding them would change them.

    Raises:
        EventNotFoundError: the trail has no such event.
        AlreadyVoidedError: it was voided before.
        TrailIncompleteError: the trail lacks events of the component that count.
    """
    component = next((entry.event.type.component for entry in trail.entries if entry.key == key), None)
    if component is None:
        raise EventNotFoundError(contract.number)
    if key in trail.voided:
        raise AlreadyVoidedError
    if component not in contract.components:
        return contract
    alone = contract.with_states({component: contract.components[component]})
    require_whole(alone, trail.entries)
    folded = fold(alone, [entry for entry in trail.standing if entry.key != key])
    return contract.with_states({**contract.components, **folded.components})
