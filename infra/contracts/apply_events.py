"""Many events at once: those of one contract in turn, contracts side by side."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import NamedTuple

from domain.contracts.events import ComponentEvent
from domain.contracts.verdicts import Code

from domain.contracts.trails import IdempotencyKeyReusedError, Reception
from infra.contracts.timeline_store import Decision, TimelineStore
from infra.outcomes import WriteFailedError

_CONTRACTS_AT_ONCE = 10
"""Threads; the client keeps ten connections, and more threads gain nothing."""


class Arrival(NamedTuple):
    """An event, how it came in, and the refusals that are not final yet."""

    event: ComponentEvent
    reception: Reception
    retryable: Collection[Code] = ()


Outcome = Decision | Exception
"""What was decided, or what kept the event from being decided."""


def apply_all(store: TimelineStore, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Apply events in the order of `created_at`, ties as given; answer in the order given.

    Once an event could not be decided, the later ones of its contract are not tried, since they
    would overtake it; they are answered with the same error.
    """
    by_contract: dict[str, list[int]] = {}
    for index in sorted(range(len(arrivals)), key=lambda index: arrivals[index].event.created_at):
        by_contract.setdefault(arrivals[index].event.contract_number, []).append(index)

    def apply_in_turn(indexes: list[int]) -> list[tuple[int, Outcome]]:
        outcomes: list[tuple[int, Outcome]] = []
        for index in indexes:
            try:
                outcomes.append((index, store.apply(*arrivals[index])))
            except IdempotencyKeyReusedError as error:
                outcomes.append((index, error))
            except WriteFailedError as error:
                return outcomes + [(later, error) for later in indexes[len(outcomes) :]]
        return outcomes

    with ThreadPoolExecutor(_CONTRACTS_AT_ONCE) as pool:
        outcomes = dict(chain.from_iterable(pool.map(apply_in_turn, by_contract.values())))
    return [outcomes[index] for index in range(len(arrivals))]
