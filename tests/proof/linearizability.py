"""Whether answers that overlapped in time can be told as a story in which one came after another.

The search of Wing and Gong, with Lowe's memory of what was tried: an order is built from its
beginning, and a set of events that led to the same state before is not gone on from again.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.verdicts import Code, Verdict, decide

from domain.contracts.contract import Contract
from domain.contracts.timelines import Span, advance, timeline


class Blocker(NamedTuple):
    """What a caller is told of the event that stands in the way."""

    type: EventType
    date: date
    created_at: datetime


class Answer(NamedTuple):
    """What a caller is told of its event."""

    code: Code
    blocked_by: Blocker | None = None

    @classmethod
    def of(cls, verdict: Verdict) -> "Answer":
        other = verdict.blocked_by
        return cls(verdict.code, Blocker(other.type, other.date, other.created_at) if other else None)


class Call(NamedTuple):
    """An event that was sent, what was answered, and the nanoseconds of the clock at both."""

    event: ComponentEvent
    sent: int
    answered: int
    answer: Answer


def is_linearizable(contract: Contract, calls: Sequence[Call], final: Mapping[Component, Span]) -> bool:
    """Tell whether some order of `calls`, from `contract` to `final`, explains every answer.

    In such an order no call stands before one that was answered before it was sent, and each
    answer is what the rules say at its place.
    """
    earlier = [
        sum(1 << index for index, other in enumerate(calls) if other.answered < call.sent) for call in calls
    ]
    unexplored = [(0, contract)]
    seen = set()
    while unexplored:
        done, current = unexplored.pop()
        if (position := (done, tuple(current.components.items()))) in seen:
            continue
        seen.add(position)
        if done == (1 << len(calls)) - 1 and timeline(current) == final:
            return True
        unexplored += _next(calls, earlier, done, current)
    return False


def _next(
    calls: Sequence[Call], earlier: Sequence[int], done: int, contract: Contract
) -> list[tuple[int, Contract]]:
    """Return what may follow on the calls in the bit set `done`, which led to `contract`."""
    following = []
    for index, (event, _, _, answer) in enumerate(calls):
        if done >> index & 1 or earlier[index] & ~done:
            continue
        verdict = decide(contract, event)
        if Answer.of(verdict) != answer:
            continue
        if not verdict.accepted:
            # It changes nothing: if an order exists in which it comes later, so does one with it here.
            return [(done | 1 << index, contract)]
        component = event.type.component
        state = advance(contract.components[component], event)
        following.append((done | 1 << index, contract.with_states({**contract.components, component: state})))
    return following
