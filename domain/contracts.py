"""What a contract is: its components, and the little that is known of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

CONTRACT_NUMBER_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
_CONTRACT_NUMBER = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


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

    component: Component
    action: Action

    SUPPLY_ENERGY_START = "supply_energy_start", Component.ENERGY_SUPPLY, Action.START
    SUPPLY_ENERGY_END = "supply_energy_end", Component.ENERGY_SUPPLY, Action.END
    BATTERY_OPTIMIZATION_START = "battery_optimization_start", Component.BATTERY_OPTIMIZATION, Action.START
    BATTERY_OPTIMIZATION_END = "battery_optimization_end", Component.BATTERY_OPTIMIZATION, Action.END
    HEATPUMP_OPTIMIZATION_START = "heatpump_optimization_start", Component.HEATPUMP_OPTIMIZATION, Action.START
    HEATPUMP_OPTIMIZATION_END = "heatpump_optimization_end", Component.HEATPUMP_OPTIMIZATION, Action.END

    def __new__(cls, name: str, component: Component, action: Action) -> "EventType":
        """Make a member whose value is the name alone."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.component = component
        member.action = action
        return member

    @classmethod
    def of(cls, component: Component, action: Action) -> "EventType":
        """Return the name of `component`'s start or end."""
        return _EVENT_TYPES[component, action]


_EVENT_TYPES = {(name.component, name.action): name for name in EventType}


@dataclass(frozen=True, slots=True)
class ComponentEvent:
    """A publisher's word that a component of a contract starts or ends on a date.

    `created_at` is when the publisher made the event; it, not the arrival, orders events. `key`
    identifies this sending of it: the same key means the same event sent again.
    """

    type: EventType
    contract_number: str
    date: date
    created_at: datetime
    key: str


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

    `id` tells this contract from an earlier one that was deleted and bore the same number.
    """

    number: str
    id: str
    created_at: datetime
    components: Mapping[Component, ComponentState] = field(default_factory=dict)

    @classmethod
    def new(cls, number: str, id: str, created_at: datetime, components: tuple[Component, ...]) -> "Contract":  # noqa: A002
        """Return a contract of which nothing has happened yet."""
        return cls(number, id, created_at, dict.fromkeys(components, ComponentState()))


class ContractExistsError(Exception):
    """A contract of this number exists already."""

    def __init__(self, number: str) -> None:
        super().__init__(f"Contract {number} already exists.")


class ContractNotFoundError(Exception):
    """No contract bears this number."""

    def __init__(self, number: str) -> None:
        super().__init__(f"Contract {number} not found.")


def is_contract_number(text: str) -> bool:
    """Tell whether `text` may name a contract: 1 to 64 of `A-Z a-z 0-9 . _ -`."""
    return _CONTRACT_NUMBER.fullmatch(text) is not None
