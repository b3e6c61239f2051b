"""What a timeline was: `known_at` gives what was in force at an instant, `as_of` the result of the events until then."""

from datetime import datetime

from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import Component
from domain.contracts.folds import fold, require_whole
from domain.contracts.timelines import advance
from domain.contracts.trails import Changed, Replayed, Trail, TrailIncompleteError, Voided


def known_at(contract: Contract, trail: Trail, instant: datetime) -> Contract:
    """Return `contract` as it was in force at `instant`; without components before it was stored.

    From what was recorded: nothing is decided again. The newest replay or void until then gives the states
    after it; the events accepted later are applied to those.
    """
    if instant < (contract.stored_at or contract.created_at):
        return contract.with_states({})
    return _as_recorded(contract, trail, instant)


def _as_recorded(contract: Contract, trail: Trail, instant: datetime | None) -> Contract:
    """Return `contract` with the states after the rows up to `instant`, or after all rows."""
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
    """Check that the rows of `trail` give the present states of `contract`.

    Raises:
        TrailIncompleteError: something was stored while no trail was kept.
    """
    if _as_recorded(contract, trail, None).components != contract.components:
        raise TrailIncompleteError(contract.number)


def as_of(contract: Contract, trail: Trail, instant: datetime, known: datetime | None = None) -> Contract:
    """Return `contract` as the events created up to `instant` make it, voided ones left out.

    With `known` it is what the same request returned at that instant: only rows recorded up
    to then are folded, with the components that the contract had then.

    Raises:
        TrailIncompleteError: the trail lacks events that count.
    """
    require_whole(contract, trail.entries, until=instant)
    if known is not None:
        contract, trail = known_at(contract, trail, known), trail.until(known)
    return fold(contract, [entry for entry in trail.standing if entry.event.created_at <= instant])
