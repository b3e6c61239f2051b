"""What a contract is: its components, and the little that is known of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

CONTRACT_NUMBER_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"


class Component(StrEnum):
    """A service that a contract may contain."""

    ENERGY_SUPPLY = "energy_supply"
    BATTERY_OPTIMIZATION = "battery_optimization"
    HEATPUMP_OPTIMIZATION = "heatpump_optimization"


class Action(StrEnum):
    """What an event says of its component."""

    START = "start"
    END = "end"


class EventType(StrEnum):
    """The name an event goes by on the wire."""

    SUPPLY_ENERGY_START = "supply_energy_start"
    SUPPLY_ENERGY_END = "supply_energy_end"
    BATTERY_OPTIMIZATION_START = "battery_optimization_start"
    BATTERY_OPTIMIZATION_END = "battery_optimization_end"
    HEATPUMP_OPTIMIZATION_START = "heatpump_optimization_start"
    HEATPUMP_OPTIMIZATION_END = "heatpump_optimization_end"

    @classmethod
    def of(cls, component: Component, action: Action) -> "EventType":
        """Return the name of `component`'s start or end."""
        return _EVENT_TYPES[component, action]

    @property
    def component(self) -> Component:
        """The component that starts or ends."""
        return _MEANINGS[self][0]

    @property
    def action(self) -> Action:
        """Whether it starts or ends."""
        return _MEANINGS[self][1]


_EVENT_TYPES = {
    (Component.ENERGY_SUPPLY, Action.START): EventType.SUPPLY_ENERGY_START,
    (Component.ENERGY_SUPPLY, Action.END): EventType.SUPPLY_ENERGY_END,
    (Component.BATTERY_OPTIMIZATION, Action.START): EventType.BATTERY_OPTIMIZATION_START,
    (Component.BATTERY_OPTIMIZATION, Action.END): EventType.BATTERY_OPTIMIZATION_END,
    (Component.HEATPUMP_OPTIMIZATION, Action.START): EventType.HEATPUMP_OPTIMIZATION_START,
    (Component.HEATPUMP_OPTIMIZATION, Action.END): EventType.HEATPUMP_OPTIMIZATION_END,
}
_MEANINGS = {name: meaning for meaning, name in _EVENT_TYPES.items()}


@dataclass(frozen=True, slots=True)
class ComponentEvent:
    """A publisher's word that a component of a contract starts or ends on a date.

    `created_at` is when the publisher made the event; it, not the arrival, orders events. `key`
    identifies the event within its contract: the same key means the same event sent again. It is
    made of the publisher's own `id`, where there is one.
    """

    type: EventType
    contract_number: str
    date: date
    created_at: datetime
    key: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The event that set a start or an end: what a contract remembers of it."""

    type: EventType
    date: date
    created_at: datetime
    key: str

    @classmethod
    def of(cls, event: ComponentEvent) -> "Occurrence":
        """Return what is remembered of `event` once it is accepted."""
        return cls(event.type, event.date, event.created_at, event.key)


@dataclass(frozen=True, slots=True)
class ComponentState:
    """What is known of one component: the accepted start and end that count, if any."""

    start: Occurrence | None = None
    end: Occurrence | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract and the states of its components, in the order the contract names them.

    `generation` counts the contracts that have borne this number: deleting one and creating it
    again starts the next, which knows nothing of the former. `id` identifies the creation.
    """

    number: str
    id: str
    created_at: datetime
    components: Mapping[Component, ComponentState] = field(default_factory=dict)
    generation: int = 1

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
