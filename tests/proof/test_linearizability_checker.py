"""The checker accepts what some order explains, and nothing else."""

import random
from dataclasses import replace
from itertools import permutations

import pytest
from domain.contracts.events import Action, ComponentEvent, EventType
from domain.contracts.verdicts import Code, decide

from domain.contracts.contract import Contract
from domain.contracts.timelines import Span, advance, timeline
from tests.proof.linearizability import Answer, Blocker, Call, is_linearizable
from tests.small_cases import COMPONENT, day, instant

START, END = (EventType.of(COMPONENT, action) for action in Action)
FRESH = Contract.new("1001", "id", instant(0), (COMPONENT,))
ACCEPTED = Answer(Code.ACCEPTED)


def call(name: EventType, level: int, sent: int, answered: int, answer: Answer = ACCEPTED) -> Call:
    """Return a call whose event is created and dated at `level`."""
    event = ComponentEvent(name, "1001", day(level), instant(level), key=f"{name}-{level}-{sent}")
    return Call(event, sent, answered, answer)


def blocked(code: Code, name: EventType, level: int) -> Answer:
    return Answer(code, Blocker(name, day(level), instant(level)))


def explained(*calls: Call, start: int | None = None, end: int | None = None) -> bool:
    final = Span(*(day(level) if level else None for level in (start, end)))
    return is_linearizable(FRESH, calls, {COMPONENT: final})


def test_nothing_that_was_sent_leaves_the_contract_as_it_was() -> None:
    assert explained()
    assert not explained(start=1)


def test_calls_one_after_another_are_explained_by_their_own_order_only() -> None:
    refused = blocked(Code.STALE_START, START, 2)
    assert explained(call(START, 2, 0, 1), call(START, 1, 2, 3, refused), start=2)
    assert not explained(call(START, 1, 0, 1, refused), call(START, 2, 2, 3), start=2)


def test_calls_that_overlap_may_have_happened_either_way_round() -> None:
    refused = blocked(Code.STALE_START, START, 2)
    assert explained(call(START, 1, 0, 4, refused), call(START, 2, 1, 3), start=2)
    assert explained(call(START, 1, 0, 4), call(START, 2, 1, 3), start=2)


def test_a_call_answered_at_the_instant_another_is_sent_overlaps_it() -> None:
    refused = blocked(Code.STALE_START, START, 2)
    assert explained(call(START, 1, 0, 1, refused), call(START, 2, 1, 2), start=2)


def test_two_accepted_starts_of_one_instant_are_explained_by_no_order() -> None:
    assert not explained(call(START, 2, 0, 4), call(START, 2, 1, 3), start=2)


def test_an_older_start_that_overwrites_a_newer_is_found_out() -> None:
    assert not explained(call(START, 2, 0, 1), call(START, 1, 2, 3), start=1)


def test_a_lost_write_is_found_out_by_the_timeline() -> None:
    calls = call(START, 1, 0, 4), call(END, 2, 1, 3)
    assert explained(*calls, start=1, end=2)
    assert not explained(*calls, start=1)


def test_a_refusal_that_names_another_event_than_stood_in_the_way_is_found_out() -> None:
    calls = call(START, 1, 0, 1), call(START, 3, 2, 3)
    late = call(START, 2, 4, 5, blocked(Code.STALE_START, START, 3))
    assert explained(*calls, late, start=3)
    for answer in (blocked(Code.STALE_START, START, 1), Answer(Code.STALE_START)):
        assert not explained(*calls, late._replace(answer=answer), start=3)


def test_refusals_that_saw_the_states_in_opposite_orders_are_found_out() -> None:
    writes = call(START, 2, 0, 9), call(START, 3, 0, 9)
    first = call(START, 1, 1, 2, blocked(Code.STALE_START, START, 2))
    second = call(START, 1, 3, 4, blocked(Code.STALE_START, START, 3))
    assert explained(*writes, first, second, start=3)
    swapped = first._replace(answer=second.answer), second._replace(answer=first.answer)
    assert not explained(*writes, *swapped, start=3)


def test_a_refusal_between_two_writes_is_explained_whichever_is_tried_first() -> None:
    # The end that found no start must come before it; the one that was too old, after.
    calls = (
        call(START, 2, 0, 9),
        call(END, 4, 0, 9, Answer(Code.END_WITHOUT_START)),
        call(END, 1, 0, 9, blocked(Code.END_BEFORE_START, START, 2)),
        call(END, 3, 0, 9),
    )
    for order in permutations(calls):
        assert explained(*order, start=2, end=3)


def random_history(rng: random.Random) -> tuple[list[Call], Span]:
    """Return up to five calls with the answers of a random order, now and then one of them bent."""
    calls, contract = [], FRESH
    for moment in range(0, rng.randint(1, 5) * 10, 10):
        drawn = call(rng.choice((START, END)), rng.randint(1, 3), 0, 0)
        event = replace(drawn.event, key=str(moment))
        verdict = decide(contract, event)
        if verdict.accepted:
            contract = contract.with_states({COMPONENT: advance(contract.components[COMPONENT], event)})
        sent, answered = moment - rng.randint(0, 30), moment + rng.randint(0, 30)
        calls.append(Call(event, sent, answered, Answer.of(verdict)))
    if rng.random() < 0.7:
        bent, other = rng.randrange(len(calls)), rng.choice(calls)
        calls[bent] = calls[bent]._replace(answer=rng.choice((ACCEPTED, other.answer)))
    rng.shuffle(calls)
    return calls, timeline(contract)[COMPONENT]


def some_order_explains(calls: list[Call], final: Span) -> bool:
    """Try every order, without any cleverness."""
    for order in permutations(calls):
        contract = FRESH
        for place, (event, sent, _, answer) in enumerate(order):
            verdict = decide(contract, event)
            if Answer.of(verdict) != answer or any(later.answered < sent for later in order[place + 1 :]):
                break
            if verdict.accepted:
                contract = contract.with_states({COMPONENT: advance(contract.components[COMPONENT], event)})
        else:
            if timeline(contract)[COMPONENT] == final:
                return True
    return False


@pytest.mark.parametrize("seed", range(4))
def test_the_checker_agrees_with_trying_every_order(seed: int) -> None:
    rng = random.Random(seed)
    outcomes = []
    for _ in range(500):
        calls, final = random_history(rng)
        outcomes.append(some_order_explains(calls, final))
        assert is_linearizable(FRESH, calls, {COMPONENT: final}) == outcomes[-1], calls
    assert min(outcomes.count(True), outcomes.count(False)) > 50
