"""Applies many events: those of one contract in order, different contracts in parallel."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import IdempotencyKeyReusedError, Reception
from domain.contracts.verdicts import Code
from infra.contracts.timeline_store import Decision, TimelineStore
from infra.parallel import in_parallel
from infra.time_left import IsTimeLeft, NoTimeError, always

_CONTRACTS_AT_ONCE = 10
"""Threads; the client keeps ten connections, and more threads gain nothing."""


class Arrival(NamedTuple):
    """An event, how it was received and how often, and the refusals that are not final yet."""

    event: ComponentEvent
    reception: Reception
    retryable: Collection[Code] = ()
    receives: int = 1


Outcome = Decision | Exception
"""A decision, or why there is none: IdempotencyKeyReusedError, NoTimeError, or whatever `apply` raised."""


def apply_all(
    store: TimelineStore, arrivals: Sequence[Arrival], is_time_left: IsTimeLeft = always
) -> list[Outcome]:
    """Apply events in the order of `created_at`, ties in the order given; return outcomes in the order given.

    Once an event of a contract has failed, the later ones of that contract are not tried, since they would
    overtake it; they get the same error. The events of other contracts are not affected.
    Contracts whose events were received most often come first, so that no event runs out of receives
    because there was never time for it.
    """
    by_contract: dict[str, list[int]] = {}
    for index in sorted(range(len(arrivals)), key=lambda index: arrivals[index].event.created_at):
        by_contract.setdefault(arrivals[index].event.contract_number, []).append(index)
    groups = sorted(
        by_contract.values(), key=lambda group: max(arrivals[index].receives for index in group), reverse=True
    )

    def apply_in_turn(indexes: list[int]) -> list[tuple[int, Outcome]]:
        outcomes: list[tuple[int, Outcome]] = []
        for index in indexes:
            outcome = _apply(store, arrivals[index], is_time_left)
            if isinstance(outcome, Exception) and not isinstance(outcome, IdempotencyKeyReusedError):
                return outcomes + [(later, outcome) for later in indexes[len(outcomes) :]]
            outcomes.append((index, outcome))
        return outcomes

    outcomes = dict(in_parallel(apply_in_turn, groups, _CONTRACTS_AT_ONCE))
    return [outcomes[index] for index in range(len(arrivals))]


def _apply(store: TimelineStore, arrival: Arrival, is_time_left: IsTimeLeft) -> Outcome:
    if not is_time_left():
        return NoTimeError()
    event, reception, retryable, _ = arrival
    try:
        return store.apply(event, reception, retryable)
    except Exception as error:  # such as an item that cannot be read: the other contracts do not wait for it
        return error
