"""Change: a contract gets another list of components."""

from collections.abc import Sequence

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.trails import Changed, RowKind
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting, read_again_until_stored
from infra.contracts.trail_rows import correction_key


def change_components(
    contracts: ContractStore,
    number: str,
    components: Sequence[Component],
    by: Correcting,
    *,
    audited: bool,
) -> Contract:
    """Store the new list of components and, with a trail, a row; nothing where it is the present list.

    Raises:
        ContractNotFoundError: there is none, or no longer.
        ComponentInUseError: a component that has a start or an end would go.
        BusyError: others wrote the contract between every read and its write; nothing is stored.
        OutcomeUnknownError: the answer to the write was lost.
    """

    def attempt(before: Contract) -> Contract | None:
        after = before.with_components(components)
        names = tuple(before.components), tuple(after.components)
        if names[0] == names[1]:
            return before
        row = Changed(
            correction_key(RowKind.CHANGED, by.fresh_key()), by.reception, by.recorded_at(before), *names
        )
        return after if contracts.correct(before, after, row if audited else None) else None

    return read_again_until_stored(contracts, number, attempt)
