"""What a contract is: its components, and the state of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.contracts.events import Component, Occurrence

CONTRACT_NUMBER_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"


@dataclass(frozen=True, slots=True)
class ComponentState:
    """The state of one component: the accepted start and end that count, if any."""

    start: Occurrence | None = None
    end: Occurrence | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract and the states of its components, in the order the contract names them.

    `stored_at` is when the contract was stored, whatever its `created_at` says, and `corrected_at` when
    it was last replayed, changed or one of its events voided; contracts stored before these were
    recorded have neither. `generation` counts the contracts that have had this number: deleting one and creating it
    again starts the next, which knows nothing of the former. `version` grows with every write of
    the contract, over deletion and re-creation too. `id` identifies the creation.
    """

    number: str
    id: str
    created_at: datetime
    components: Mapping[Component, ComponentState] = field(default_factory=dict)
    generation: int = 1
    version: int = field(default=1, compare=False)
    stored_at: datetime | None = field(default=None, compare=False)
    corrected_at: datetime | None = field(default=None, compare=False)

    @classmethod
    def new(
        cls,
        number: str,
        id: str,  # noqa: A002
        created_at: datetime,
        components: tuple[Component, ...],
        stored_at: datetime | None = None,
    ) -> "Contract":
        """Return a new contract, without any events."""
        states = dict.fromkeys(components, ComponentState())
        return cls(number, id, created_at, states, stored_at=stored_at)

    def with_states(self, states: Mapping[Component, ComponentState]) -> "Contract":
        """Return this contract with other states of its components."""
        return replace(self, components=states)

    def with_components(self, components: Sequence[Component]) -> "Contract":
        """Return this contract with another list of components; those it had keep their states.

        Raises:
            ComponentInUseError: a component that has a start or an end would be removed.
        """
        for component, state in self.components.items():
            if component not in components and state != ComponentState():
                raise ComponentInUseError(component, self.number)
        return self.with_states({name: self.components.get(name, ComponentState()) for name in components})


class ContractExistsError(Exception):
    """A contract of this number exists already."""

    def __init__(self, number: str) -> None:
        super().__init__(f"Contract {number} already exists.")


class ComponentInUseError(Exception):
    """A component that has a start or an end cannot be removed from its contract."""

    def __init__(self, component: Component, number: str) -> None:
        super().__init__(f"Component {component} of contract {number} has a start or an end.")


class ContractNotFoundError(Exception):
    """No contract has this number."""

    def __init__(self, number: str) -> None:
        super().__init__(f"Contract {number} not found.")
