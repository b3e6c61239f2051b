"""Replays a contract: derives its states again from its whole trail."""

from typing import NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.folds import fold, require_whole
from domain.contracts.trails import Replayed, RowKind
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting, read_again_until_stored
from infra.contracts.trail_rows import correction_key
from infra.contracts.trail_store import TrailStore


class Replay(NamedTuple):
    """A contract before and after, and how many events were folded."""

    before: Contract
    after: Contract
    events: int


def replay(
    contracts: ContractStore, trails: TrailStore, number: str, by: Correcting, *, dry_run: bool
) -> Replay:
    """Fold the trail of a contract and, unless `dry_run`, store the resulting states, and a row.

    They are stored only if the contract is still as it was read before the trail: an event that was
    accepted meanwhile makes it fold again. A replay that changes nothing stores nothing.

    Raises:
        ContractNotFoundError: the contract does not exist, or was deleted meanwhile.
        TrailIncompleteError: the trail lacks events that count.
        TrailTooLongError: the trail has more rows than may be read.
        BusyError: the contract changed between every read and its write; nothing is stored.
        OutcomeUnknownError: the response to the write was lost.
    """

    def attempt(before: Contract) -> Replay | None:
        trail = trails.whole(before)
        require_whole(before, trail.entries)
        after = fold(before, trail.standing)
        done = Replay(before, after, len(trail.standing))
        if dry_run or after.components == before.components:
            return done
        row = Replayed(
            key=correction_key(RowKind.REPLAYED, by.fresh_key()),
            reception=by.reception,
            recorded_at=by.recorded_at(before, trail),
            events=done.events,
            before=before.components,
            after=after.components,
        )
        return done if contracts.correct(before, after, row) else None

    return read_again_until_stored(contracts, number, attempt)
