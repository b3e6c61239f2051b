"""Every small case of the rules: states of one component, and events to try on each.

Two levels of instants and dates for what is stored, five for what arrives, so that an arriving
value lies before, at, between and after the stored ones: every order of the values that a rule
can compare occurs. States that the rules never produce are among them, since a condition must
agree with the rules on those too.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import product

from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import Action, Component, ComponentEvent, EventType, Occurrence
from domain.instants import EARLIEST

COMPONENT = Component.BATTERY_OPTIMIZATION
STORED_LEVELS = (2, 4)
ARRIVING_LEVELS = (1, 2, 3, 4, 5)


def instant(level: int) -> datetime:
    """Return the instant of a level; levels are microseconds apart, the least difference that counts."""
    return EARLIEST + timedelta(days=366, microseconds=level)


def day(level: int) -> date:
    """Return the date of a level; they straddle the end of a year, where text could misorder."""
    return date(2023, 12, 28) + timedelta(days=level)


def _occurrences(action: Action) -> list[Occurrence | None]:
    return [None] + [
        Occurrence(EventType.of(COMPONENT, action), day(on), instant(at), key=f"{action}-{at}-{on}")
        for at, on in product(STORED_LEVELS, STORED_LEVELS)
    ]


def states() -> list[ComponentState]:
    """Return the 25 states: no start or one of four, no end or one of four."""
    return [
        ComponentState(start, end)
        for start, end in product(_occurrences(Action.START), _occurrences(Action.END))
    ]


def contracts(number: str) -> Iterator[Contract | None]:
    """Return a contract in each state, one that lacks the component, and none at all."""
    for state in states():
        yield Contract(
            number, "id", instant(0), {Component.ENERGY_SUPPLY: ComponentState(), COMPONENT: state}
        )
    yield Contract.new(number, "id", instant(0), (Component.ENERGY_SUPPLY,))
    yield None


def events(number: str) -> list[ComponentEvent]:
    """Return the 50 events: start or end, at each instant, on each date."""
    return [
        ComponentEvent(EventType.of(COMPONENT, action), number, day(on), instant(at), key="arriving")
        for action, at, on in product(Action, ARRIVING_LEVELS, ARRIVING_LEVELS)
    ]
