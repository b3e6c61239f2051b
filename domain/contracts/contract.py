"""What a contract is: its components, and the little that is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.contracts.events import Component, Occurrence

CONTRACT_NUMBER_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"


@dataclass(frozen=True, slots=True)
class ComponentState:
    """What is known of one component: the accepted start and end that count, if any."""

    start: Occurrence | None = None
    end: Occurrence | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract and the states of its components, in the order the contract names them.

    `generation` counts the contracts that have had this number: deleting one and creating it
    again starts the next, which knows nothing of the former. `version` grows with every write of
    the contract, over deletion and re-creation too. `id` identifies the creation.
    """

    number: str
    id: str
    created_at: datetime
    components: Mapping[Component, ComponentState] = field(default_factory=dict)
    generation: int = 1
    version: int = field(default=1, compare=False)

    @classmethod
    def new(cls, number: str, id: str, created_at: datetime, components: tuple[Component, ...]) -> "Contract":  # noqa: A002
        """Return a contract of which nothing has happened yet."""
        return cls(number, id, created_at, dict.fromkeys(components, ComponentState()))

    def with_states(self, states: Mapping[Component, ComponentState]) -> "Contract":
        """Return this contract with other states of its components."""
        return replace(self, components=states)


class ContractExistsError(Exception):
    """A contract of this number exists already."""

    def __init__(self, number: str) -> None:
        super().__init__(f"Contract {number} already exists.")


class ContractNotFoundError(Exception):
    """No contract bears this number."""

    def __init__(self, number: str) -> None:
        super().__init__(f"Contract {number} not found.")
