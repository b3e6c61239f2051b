"""Replay: a contract's states made anew from its whole trail."""

import time
from typing import NamedTuple

from domain.contracts.contract import Contract, ContractNotFoundError
from domain.contracts.trails import fold, require_whole
from infra.contracts.contract_store import ContractStore
from infra.contracts.trail_store import TrailStore
from infra.write_outcomes import BusyError

_LONGEST_SECONDS = 10.0
"""No fold begins later than this; the longest trail takes some seconds to read and fold."""


class Replay(NamedTuple):
    """A contract before and after, and how many events were folded."""

    before: Contract
    after: Contract
    events: int


def replay(contracts: ContractStore, trails: TrailStore, number: str, *, dry_run: bool) -> Replay:
    """Fold the trail of a contract and, unless `dry_run`, store the states that come of it.

    They are stored only if the states read before the trail are still the ones stored: an event
    that was accepted meanwhile makes it fold again.

    Raises:
        ContractNotFoundError: there is none, or no longer.
        TrailIncompleteError: the trail lacks events that count.
        TrailTooLongError: the trail has more rows than may be read.
        BusyError: events were accepted between every read and its write; nothing is stored.
        OutcomeUnknownError: the answer to the write was lost.
    """
    latest = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < latest:
        before = contracts.get(number)
        if before is None:
            raise ContractNotFoundError(number)
        entries = trails.entries(before)
        require_whole(before, entries)
        after = fold(before, entries)
        if dry_run or after.components == before.components or contracts.replace_states(before, after):
            return Replay(before, after, len(entries))
    raise BusyError
