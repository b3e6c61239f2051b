"""Corrections of a contract: read it, decide what to store, and store it if nothing has changed meanwhile."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from domain.contracts.contract import Contract, ContractNotFoundError
from domain.contracts.trails import Reception, Trail
from infra.contracts.contract_store import ContractStore
from infra.write_outcomes import BusyError

_LONGEST_SECONDS = 10.0
"""No attempt starts later than this; the longest trail takes some seconds to read and fold."""
_MICROSECOND = timedelta(microseconds=1)
_Done = TypeVar("_Done")


class Correcting(NamedTuple):
    """Who corrects the contract and how the request was received, the clock, and the source of new keys for rows."""

    reception: Reception
    now: Callable[[], datetime]
    fresh_key: Callable[[], str]

    def recorded_at(self, contract: Contract, trail: Trail | None = None) -> datetime:
        """Return an instant later than every row that was read, so that rows are in the order of writes."""
        earlier = [contract.corrected_at, trail.last_recorded_at if trail else None]
        return max([self.now(), *(instant + _MICROSECOND for instant in earlier if instant is not None)])


def read_again_until_stored(
    contracts: ContractStore, number: str, attempt: Callable[[Contract], _Done | None]
) -> _Done:
    """Call `attempt` with the stored contract until it returns something other than None, and return that.

    Raises:
        ContractNotFoundError: the contract does not exist, or was deleted meanwhile.
        BusyError: the contract changed between every read and its write; nothing is stored.
    """
    latest = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < latest:
        before = contracts.get(number)
        if before is None:
            raise ContractNotFoundError(number)
        done = attempt(before)
        if done is not None:
            return done
    raise BusyError
