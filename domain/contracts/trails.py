"""The trail of a contract: every event that was decided, and every correction that was made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.actors import Actor
from domain.contracts.contract import ComponentState
from domain.contracts.events import Component, ComponentEvent
from domain.contracts.verdicts import Verdict


class Source(StrEnum):
    """The way in which an event was received."""

    API = "api"
    BUS = "bus"


@dataclass(frozen=True, slots=True)
class Reception:
    """How and when an event or a correction was received, and from whom; the oldest rows have no actor."""

    received_at: datetime
    source: Source
    request_id: str
    actor: Actor | None = None


class RowKind(StrEnum):
    """What a row of a trail records."""

    DECIDED = "decided"
    VOIDED = "voided"
    REPLAYED = "replayed"
    CHANGED = "changed"


MOST_ROWS = 20_000
"""How many rows are read at most for an answer that needs the whole trail."""

States = Mapping[Component, ComponentState]


@dataclass(frozen=True, slots=True)
class Entry:
    """A decided event; it never changes.

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
        """Identifies the row within its contract."""
        return self.event.key

    @property
    def recorded_at(self) -> datetime:
        """When the row was recorded."""
        return self.written_at or self.reception.received_at


@dataclass(frozen=True, slots=True)
class Voided:
    """An event was voided; `voids` is its key, `before` and `after` are the states of all components."""

    key: str
    reception: Reception
    recorded_at: datetime
    voids: str
    reason: str
    before: States
    after: States


@dataclass(frozen=True, slots=True)
class Replayed:
    """The trail was folded again, and gave other states; `events` counts what was folded."""

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
        """Return the trail of `rows`, which may be in any order."""
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
    """The request needs the trail, and none is kept."""

    def __init__(self) -> None:
        super().__init__("No trail of events is kept here.")


class TrailIncompleteError(Exception):
    """An event that counts is not in the trail: it was decided while none was kept."""

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


def in_order(entry: Entry) -> tuple[datetime, datetime, str]:
    """Return the sort key for the order of folding: `created_at`, ties by arrival."""
    return entry.event.created_at, entry.reception.received_at, entry.key
