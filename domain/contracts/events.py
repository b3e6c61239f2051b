"""The events that start and end a component of a contract."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Component(StrEnum):
    """A service that a contract may contain."""

    ENERGY_SUPPLY = "energy_supply"
    BATTERY_OPTIMIZATION = "battery_optimization"
    HEATPUMP_OPTIMIZATION = "heatpump_optimization"


class Action(StrEnum):
    """What happens to the component."""

    START = "start"
    END = "end"


class EventType(StrEnum):
    """The name of an event in JSON."""

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
    """A publisher's statement that a component of a contract starts or ends on a date.

    `created_at` is when the publisher created the event; it, not the arrival, orders events. `key`
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
    """The accepted event that set a start or an end, as the contract stores it."""

    type: EventType
    date: date
    created_at: datetime
    key: str

    @classmethod
    def of(cls, event: ComponentEvent) -> "Occurrence":
        """Return what is stored of `event` once it is accepted."""
        return cls(event.type, event.date, event.created_at, event.key)
