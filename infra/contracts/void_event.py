"""Voiding: one event is taken back, and its component becomes what its other events give."""

from typing import NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.folds import void
from domain.contracts.trails import Entry, RowKind, Trail, Voided
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting, read_again_until_stored
from infra.contracts.trail_rows import correction_key
from infra.contracts.trail_store import TrailStore


class Target(NamedTuple):
    """The key of an event, and why it is to be voided."""

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
    """Take an event back and, unless `dry_run`, store the states that follow, and a row.

    The row is stored even where no state changes: the event no longer counts when the trail is folded.

    Raises:
        ContractNotFoundError: there is none, or no longer.
        EventNotFoundError: the trail has no such event.
        AlreadyVoidedError: it was voided before.
        TrailIncompleteError: the trail lacks events of the component that count.
        TrailTooLongError: the trail has more rows than may be read.
        BusyError: others wrote the contract between every read and its write; nothing is stored.
        OutcomeUnknownError: the answer to the write was lost.
    """

    def attempt(before: Contract) -> Voiding | None:
        trail = trails.whole(before)
        after = void(before, trail, target.key)
        done = Voiding(before, after, next(entry for entry in trail.entries if entry.key == target.key))
        if dry_run or contracts.correct(before, after, _row(done, trail, target, by)):
            return done
        return None

    return read_again_until_stored(contracts, number, attempt)


def _row(done: Voiding, trail: Trail, target: Target, by: Correcting) -> Voided:
    return Voided(
        key=correction_key(RowKind.VOIDED, target.key),
        reception=by.reception,
        recorded_at=by.recorded_at(done.before, trail),
        voids=target.key,
        reason=target.reason,
        before=done.before.components,
        after=done.after.components,
    )
