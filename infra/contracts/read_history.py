"""Reads what a timeline was, from a contract and its trail."""

from datetime import datetime

from domain.contracts.contract import Contract, ContractNotFoundError
from domain.contracts.history import as_of, known_at, require_recorded
from domain.contracts.trails import TrailIncompleteError
from infra.contracts.contract_store import ContractStore
from infra.contracts.trail_store import TrailStore
from infra.write_outcomes import BusyError

_MOST_READS = 5


def read_history(
    contracts: ContractStore,
    trails: TrailStore,
    contract: Contract,
    *,
    created: datetime | None,
    known: datetime | None,
) -> Contract:
    """Return `contract` as of the events created up to `created`, as it was known at `known`, or both.

    `known` asks for rows that lead to the contract as it is; if an event came in between the two reads
    they do not, and both are read again.

    Raises:
        ContractNotFoundError: the contract was deleted meanwhile.
        TrailIncompleteError: events were decided while no trail was kept.
        TrailTooLongError: the trail has more rows than may be read.
        BusyError: the contract changed between every two reads.
    """
    for _ in range(_MOST_READS):
        trail = trails.whole(contract)
        if created is not None:
            return as_of(contract, trail, created, known)
        assert known is not None  # noqa: S101 - one of both is asked for
        try:
            require_recorded(contract, trail)
        except TrailIncompleteError:
            now = contracts.get(contract.number)
            if now is None:
                raise ContractNotFoundError(contract.number) from None
            if (now.id, now.version) == (contract.id, contract.version):
                raise
            contract = now
            continue
        return known_at(contract, trail, known)
    raise BusyError
