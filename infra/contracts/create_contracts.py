"""Creates many contracts: those of one number in order, different numbers in parallel."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from domain.contracts.contract import Contract, ContractExistsError
from infra.contracts.contract_store import ContractStore
from infra.parallel import in_parallel
from infra.write_outcomes import WriteFailedError

_CONTRACTS_AT_ONCE = 10
"""Threads; the client keeps ten connections."""


class Creation(StrEnum):
    """The outcome of creating a contract."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    EXISTS = "contract_exists"


class NewContract(NamedTuple):
    """A contract to create; `is_dated` says whether the request gives `created_at`."""

    contract: Contract
    is_dated: bool


Outcome = Creation | Exception
"""An outcome, or the error because of which there is none."""


def create_all(store: ContractStore, wanted: Sequence[NewContract]) -> list[Outcome]:
    """Create contracts, those of one number in the order given; return outcomes in the order given."""
    by_number: dict[str, list[int]] = {}
    for index, new in enumerate(wanted):
        by_number.setdefault(new.contract.number, []).append(index)

    def create_in_turn(indexes: list[int]) -> list[tuple[int, Outcome]]:
        outcomes: list[tuple[int, Outcome]] = []
        for index in indexes:
            outcome = _create(store, wanted[index])
            if isinstance(outcome, Exception):
                return outcomes + [(later, outcome) for later in indexes[len(outcomes) :]]
            outcomes.append((index, outcome))
        return outcomes

    outcomes = dict(in_parallel(create_in_turn, by_number.values(), _CONTRACTS_AT_ONCE))
    return [outcomes[index] for index in range(len(wanted))]


def _create(store: ContractStore, new: NewContract) -> Outcome:
    contract = new.contract
    try:
        store.create(contract)
    except ContractExistsError:
        pass
    except WriteFailedError as error:
        return error
    else:
        return Creation.CREATED
    stored = store.get(contract.number)
    is_same = (
        stored is not None
        and list(stored.components) == list(contract.components)
        and (not new.is_dated or stored.created_at == contract.created_at)
    )
    return Creation.UNCHANGED if is_same else Creation.EXISTS
