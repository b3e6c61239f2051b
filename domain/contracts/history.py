"""What a timeline was: `known_at` says what was in force then, `as_of` what the events until then mean."""

from datetime import datetime

from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import Component
from domain.contracts.timelines import advance
from domain.contracts.trails import (
    Changed,
    Replayed,
    Trail,
    TrailIncompleteError,
    Voided,
    fold,
    require_whole,
)


def known_at(contract: Contract, trail: Trail, instant: datetime) -> Contract:
    """Return `contract` as it was in force at `instant`; without components before it was stored.

    From what was recorded: nothing is judged anew. The newest replay or void up to then says what it
    left behind; the events accepted after it go on from there.
    """
    if instant < (contract.stored_at or contract.created_at):
        return contract.with_states({})
    return _as_recorded(contract, trail, instant)


def _as_recorded(contract: Contract, trail: Trail, instant: datetime | None) -> Contract:
    """Return `contract` as the rows up to `instant`, or all of them, say that it was left."""
    known = trail if instant is None else trail.until(instant)
    left = [row for row in known.corrections if isinstance(row, Voided | Replayed)]
    states = dict(left[-1].after) if left else {}
    for entry in known.entries:  # by created_at: of one start or end, the last accepted counts
        if entry.verdict.accepted and (not left or entry.recorded_at > left[-1].recorded_at):
            component = entry.event.type.component
            states[component] = advance(states.get(component, ComponentState()), entry.event)
    names = _components_at(contract, trail, instant)
    return contract.with_states({name: states.get(name, ComponentState()) for name in names})


def _components_at(contract: Contract, trail: Trail, instant: datetime | None) -> tuple[Component, ...]:
    changes = [row for row in trail.corrections if isinstance(row, Changed)]
    if instant is None or not changes:
        return tuple(contract.components)
    earlier = [row for row in changes if row.recorded_at <= instant]
    return earlier[-1].after if earlier else changes[0].before


def require_recorded(contract: Contract, trail: Trail) -> None:
    """Make sure that the rows of `trail` lead to `contract` as it is now.

    Raises:
        TrailIncompleteError: something was stored while no trail was kept.
    """
    if _as_recorded(contract, trail, None).components != contract.components:
        raise TrailIncompleteError(contract.number)


def as_of(contract: Contract, trail: Trail, instant: datetime, known: datetime | None = None) -> Contract:
    """Return `contract` as the events created up to `instant` make it, voided ones left out.

    With `known` it is what the same question got as its answer at that instant: only rows recorded up
    to then are folded, by the components that the contract had then.

    Raises:
        TrailIncompleteError: the trail lacks events that count.
    """
    require_whole(contract, trail.entries, until=instant)
    if known is not None:
        contract, trail = known_at(contract, trail, known), trail.until(known)
    return fold(contract, [entry for entry in trail.standing if entry.event.created_at <= instant])
