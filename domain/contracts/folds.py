"""Folding: the states of a contract derived from its trail, in the order of `created_at`.

The order of arrival matters: an end that arrives before its start is refused, and stays refused
when the start arrives. Folding the trail again, refused events included, gives the timeline that the
publishers meant. Voided events are left out.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from domain.contracts.contract import ComponentState, Contract
from domain.contracts.timelines import advance
from domain.contracts.trails import (
    AlreadyVoidedError,
    Entry,
    EventNotFoundError,
    Trail,
    TrailIncompleteError,
    in_order,
)
from domain.contracts.verdicts import decide


def require_whole(contract: Contract, entries: Collection[Entry], until: datetime | None = None) -> None:
    """Make sure that the events that count, up to `until`, are among `entries`.

    Raises:
        TrailIncompleteError: some of them are missing, so that folding `entries` would lose them.
    """
    keys = {entry.key for entry in entries}
    for state in contract.components.values():
        for occurrence in (state.start, state.end):
            counts = occurrence is not None and (until is None or occurrence.created_at <= until)
            if counts and occurrence and occurrence.key not in keys:
                raise TrailIncompleteError(contract.number)


def fold(contract: Contract, entries: Iterable[Entry]) -> Contract:
    """Return `contract` with the states that `entries` give, in the order of `created_at`, ties by arrival.

    The former verdicts do not count: each event is decided again, after those before it, and by
    the components that `contract` has.
    """
    folded = contract.with_states(dict.fromkeys(contract.components, ComponentState()))
    for entry in sorted(entries, key=in_order):
        if decide(folded, entry.event).accepted:
            component = entry.event.type.component
            state = advance(folded.components[component], entry.event)
            folded = folded.with_states({**folded.components, component: state})
    return folded


def void(contract: Contract, trail: Trail, key: str) -> Contract:
    """Return `contract` without the event `key`: its component is what its other events give.

    The other components stay as they are, even where folding them would change them.

    Raises:
        EventNotFoundError: the trail has no such event.
        AlreadyVoidedError: it was voided before.
        TrailIncompleteError: the trail lacks events of the component that count.
    """
    component = next((entry.event.type.component for entry in trail.entries if entry.key == key), None)
    if component is None:
        raise EventNotFoundError(contract.number)
    if key in trail.voided:
        raise AlreadyVoidedError
    if component not in contract.components:
        return contract
    alone = contract.with_states({component: contract.components[component]})
    require_whole(alone, trail.entries)
    folded = fold(alone, [entry for entry in trail.standing if entry.key != key])
    return contract.with_states({**contract.components, **folded.components})
