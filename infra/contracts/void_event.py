"""Voids an event: its component gets the state that its other events give."""

from typing import NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.folds import void
from domain.contracts.trails import Entry, RowKind, Voided
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting, read_again_until_stored
from infra.contracts.trail_rows import correction_key
from infra.contracts.trail_store import TrailStore


class Target(NamedTuple):
    """The key of the event to void, and the reason."""

    key: str
    reason: str


class Voiding(NamedTuple):
    """A contract before and after, and the event that was voided."""

    before: Contract
    after: Contract
    entry: Entry


def void_event(
    contracts: ContractStore,
    trails: TrailStore,
    number: str,
    target: Target,
    by: Correcting,
    *,
    dry_run: bool,
) -> Voiding:
    """Void an event and, unless `dry_run`, store the resulting states, and a row.

    The row is stored even if no state changes: from then on, folding the trail ignores the event.

    Raises:
        ContractNotFoundError: the contract does not exist, or was deleted meanwhile.
        EventNotFoundError: the trail has no such event.
        AlreadyVoidedError: it was voided before.
        TrailIncompleteError: the trail lacks events of the component that count.
        TrailTooLongError: the trail has more rows than may be read.
        BusyError: the contract changed between every read and its write; nothing is stored.
        OutcomeUnknownError: the response to the write was lost.
    """

    def attempt(before: Contract) -> Voiding | None:
        trail = trails.whole(before)
        after = void(before, trail, target.key)
        done = Voiding(before, after, next(entry for entry in trail.entries if entry.key == target.key))
        if dry_run:
            return done
        states = before.components, after.components
        key, recorded_at = correction_key(RowKind.VOIDED, target.key), by.recorded_at(before, trail)
        row = Voided(key, by.reception, recorded_at, target.key, target.reason, *states)
        return done if contracts.correct(before, after, row) else None

    return read_again_until_stored(contracts, number, attempt)
