"""Corrections of a contract: read, work out what is to be stored, and store it if nothing came between."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from domain.contracts.contract import Contract, ContractNotFoundError
from domain.contracts.trails import Reception, Trail
from infra.contracts.contract_store import ContractStore
from infra.write_outcomes import BusyError

_LONGEST_SECONDS = 10.0
"""No attempt begins later than this; the longest trail takes some seconds to read and fold."""
_MICROSECOND = timedelta(microseconds=1)
_Done = TypeVar("_Done")


class Correcting(NamedTuple):
    """Who corrects, the clock, and what makes a fresh key for a row."""

    reception: Reception
    now: Callable[[], datetime]
    fresh_key: Callable[[], str]

    def recorded_at(self, contract: Contract, trail: Trail | None = None) -> datetime:
        """Return an instant after every row that was read, so that rows stand in the order of writes."""
        earlier = [contract.corrected_at, trail.last_recorded_at if trail else None]
        return max([self.now(), *(instant + _MICROSECOND for instant in earlier if instant is not None)])


def read_again_until_stored(
    contracts: ContractStore, number: str, attempt: Callable[[Contract], _Done | None]
) -> _Done:
    """Return what `attempt` makes of the contract; it is called anew while it says None.

    Raises:
        ContractNotFoundError: there is no contract, or no longer.
        BusyError: others wrote the contract between every read and its write; nothing is stored.
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
