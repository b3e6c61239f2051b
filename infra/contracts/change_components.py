"""Changes the list of components of a contract."""

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
    """Store the new list of components and, with a trail, a row; an unchanged list stores nothing.

    Raises:
        ContractNotFoundError: the contract does not exist, or was deleted meanwhile.
        ComponentInUseError: a component that has a start or an end would be removed.
        BusyError: the contract changed between every read and its write; nothing is stored.
        OutcomeUnknownError: the response to the write was lost.
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
