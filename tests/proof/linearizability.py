"""Whether answers that overlapped in time can be explained by an order in which one came after another.

The search of Wing and Gong, with Lowe's memory of what was tried: an order is built from its
beginning, and a set of calls that led to the same state before is not continued again.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import chain, combinations
from typing import NamedTuple

from domain.contracts.contract import ComponentInUseError, Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.timelines import Span, advance, timeline
from domain.contracts.trails import Entry, Reception, Source, fold
from domain.contracts.verdicts import ACCEPTED, Code, Verdict, decide
from domain.instants import EPOCH


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


class VoidCall(NamedTuple):
    """An event that was voided, and the timelines that were answered; None where another call had voided it."""

    event: ComponentEvent
    sent: int
    answered: int
    before: Mapping[Component, Span] | None
    after: Mapping[Component, Span] | None


class PatchCall(NamedTuple):
    """A list of components that was asked for, and whether a component in use forbade it."""

    components: tuple[Component, ...]
    sent: int
    answered: int
    is_refused: bool


AnyCall = Call | VoidCall | PatchCall


def is_linearizable(contract: Contract, calls: Sequence[AnyCall], final: Mapping[Component, Span]) -> bool:
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
    calls: Sequence[AnyCall], earlier: Sequence[int], done: int, contract: Contract
) -> list[tuple[int, Contract]]:
    """Return what may follow on the calls in the bit set `done`, which led to `contract`."""
    following = []
    for index, call in enumerate(calls):
        if done >> index & 1 or earlier[index] & ~done:
            continue
        if not isinstance(call, Call):
            then = (
                _voids(calls, done, call, contract) if isinstance(call, VoidCall) else _patch(call, contract)
            )
            following += [(done | 1 << index, after) for after in then]
            continue
        event, _, _, answer = call
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


def _patch(call: PatchCall, contract: Contract) -> list[Contract]:
    try:
        after = contract.with_components(call.components)
    except ComponentInUseError:
        return [contract] if call.is_refused else []
    return [] if call.is_refused else [after]


def _voids(calls: Sequence[AnyCall], done: int, void: VoidCall, contract: Contract) -> Iterator[Contract]:
    """Return what voiding an event may have led to.

    Its fold has every event that was accepted before it, and of the refused ones those that were answered
    before it was sent. One whose answer overlaps with it may be in it or not: its row is a write of its own.
    """
    if void.before is not None and timeline(contract) != void.before:
        return
    component = void.event.type.component
    earlier = [call for index, call in enumerate(calls) if done >> index & 1]
    gone = {call.event.key for call in earlier if isinstance(call, VoidCall)} | {void.event.key}
    certain, possible = [], []
    for call in calls:
        if not isinstance(call, Call) or call.event.key in gone or call.event.type.component is not component:
            continue
        if call.answer.code is Code.ACCEPTED:
            certain += [call] if call in earlier else []
        elif call.answered < void.sent:
            certain.append(call)
        elif call.sent < void.answered:
            possible.append(call)
    if component not in contract.components:
        yield from [contract] if void.after in (None, timeline(contract)) else []
        return
    alone = contract.with_states({component: contract.components[component]})
    found = set()
    for some in chain.from_iterable(combinations(possible, size) for size in range(len(possible) + 1)):
        (state,) = fold(alone, map(_entry, [*certain, *some])).components.values()
        after = contract.with_states({**contract.components, component: state})
        if state not in found and void.after in (None, timeline(after)):
            yield after
        found.add(state)


def _entry(call: Call) -> Entry:
    """Return the row of an event; what was sent first stands first among events of one `created_at`."""
    received_at = EPOCH + timedelta(microseconds=call.sent // 1000)
    return Entry(call.event, ACCEPTED, "", Reception(received_at, Source.API, ""))
