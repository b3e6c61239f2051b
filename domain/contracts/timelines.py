"""The timeline of a contract: what an accepted event changes, and the dates that follow."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import Action, Component, ComponentEvent, Occurrence


def advance(state: ComponentState, event: ComponentEvent) -> ComponentState:
    """Return `state` after an accepted `event`, which overwrites the date it names."""
    occurrence = Occurrence.of(event)
    if event.type.action is Action.START:
        return ComponentState(start=occurrence, end=state.end)
    return ComponentState(start=state.start, end=occurrence)


class Span(NamedTuple):
    """The dates on which a component starts and ends, as far as they are known."""

    start: date | None
    end: date | None


def timeline(contract: Contract) -> dict[Component, Span]:
    """Return the dates of every configured component, in the contract's own order."""
    return timeline_of(contract.components)


def timeline_of(states: Mapping[Component, ComponentState]) -> dict[Component, Span]:
    """Return the dates in `states`."""
    return {
        component: Span(state.start.date if state.start else None, state.end.date if state.end else None)
        for component, state in states.items()
    }
