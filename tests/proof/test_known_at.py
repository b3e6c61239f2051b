"""Every timeline that was ever answered is answered again under `known_at`, bit for bit.

`PROOF=full` runs the whole proof; without it, a part.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from domain.contracts import history
from domain.contracts.contract import Contract
from domain.contracts.folds import fold
from domain.contracts.trails import Changed, Replayed, Trail, Voided
from tests.conftest import create_table
from tests.engines import client_of
from tests.proof.histories import History, Life, naive_as_of, show
from tests.proof_level import cases

# What takes seconds is made once for these tests.
pytestmark = pytest.mark.xdist_group("known-at")

RUNS = cases(3, 10, 500)

KnownAt = Callable[[Contract, Trail, datetime], Contract]
AsOf = Callable[[Contract, Trail, datetime, datetime], Contract]


@pytest.fixture(scope="module")
def lives(engine: str) -> list[Life]:
    client, table = client_of(engine), f"contracts-{uuid4().hex}"
    create_table(client, "ContractsTable", table)
    return [life for seed in range(RUNS) for life in History(client, table, seed).run()]


def forgotten(lives: Sequence[Life], known_at: KnownAt) -> int:
    """Count the timelines that `known_at` does not give back."""
    count = 0
    for life in lives:
        assert life.contract is not None
        assert life.trail is not None
        for note in life.notes:
            count += show(known_at(life.contract, life.trail, note.at)) != note.timeline
    return count


def wrong_folds(lives: Sequence[Life], as_of: AsOf) -> int:
    """Count the answers to both parameters that are not what `as_of` answered then, or what the model says."""
    count = 0
    for life in lives:
        assert life.contract is not None
        assert life.trail is not None
        for note in life.notes:
            answer = show(as_of(life.contract, life.trail, note.as_of, note.at))
            naive = {
                component: {"start": start and start.isoformat(), "end": end and end.isoformat()}
                for component, (start, end) in naive_as_of(life, note.as_of, note.at).items()
            }
            found = json.loads(answer)["components"]
            count += answer != note.as_of_timeline or list(found.items()) != list(naive.items())
    return count


def test_every_timeline_comes_back_under_known_at(lives: list[Life]) -> None:
    noted = sum(len(life.notes) for life in lives)
    assert noted > RUNS * 40
    assert len({note.timeline for life in lives for note in life.notes}) > RUNS
    kinds = {type(row) for life in lives if life.trail for row in life.trail.corrections}
    assert kinds == {Voided, Replayed, Changed}
    assert forgotten(lives, history.known_at) == 0


def test_both_parameters_answer_what_as_of_answered_then_and_what_a_naive_model_says(
    lives: list[Life],
) -> None:
    assert wrong_folds(lives, history.as_of) == 0


def test_rows_lead_to_what_is_stored(lives: list[Life]) -> None:
    for life in lives:
        assert life.contract is not None
        assert life.trail is not None
        history.require_recorded(life.contract, life.trail)


def test_nothing_is_known_before_a_contract_was_stored(lives: list[Life]) -> None:
    for life in lives:
        assert life.contract is not None
        assert life.trail is not None
        before = history.known_at(life.contract, life.trail, datetime(2023, 12, 31, tzinfo=UTC))
        assert before.components == {}


def without(trail: Trail, kind: type) -> Trail:
    return Trail(trail.entries, tuple(row for row in trail.corrections if not isinstance(row, kind)))


KNOWN_AT_MUTANTS: dict[str, KnownAt] = {
    "decides again": lambda contract, trail, at: fold(
        history.known_at(contract, trail, at), trail.until(at).standing
    ),
    "without voids": lambda contract, trail, at: history.known_at(contract, without(trail, Voided), at),
    "without replays": lambda contract, trail, at: history.known_at(contract, without(trail, Replayed), at),
    "without patches": lambda contract, trail, at: history.known_at(contract, without(trail, Changed), at),
    "by today's components": lambda contract, trail, at: contract.with_states(
        {
            component: history.known_at(contract, trail, at).components.get(component, state)
            for component, state in contract.components.items()
        }
    ),
    "the present": lambda contract, trail, at: contract,  # noqa: ARG005
}
AS_OF_MUTANTS: dict[str, AsOf] = {
    "with voided events": lambda contract, trail, at, known: history.as_of(
        contract, without(trail, Voided), at, known
    ),
    "without events voided later": lambda contract, trail, at, known: history.as_of(
        contract, Trail(trail.standing, trail.corrections), at, known
    ),
    "with what came later": lambda contract, trail, at, known: history.as_of(contract, trail, at),  # noqa: ARG005
    "accepted events only": lambda contract, trail, at, known: fold(
        history.known_at(contract, trail, known),
        [row for row in trail.until(known).standing if row.verdict.accepted and row.event.created_at <= at],
    ),
}


@pytest.mark.parametrize("mutant", KNOWN_AT_MUTANTS)
def test_a_known_at_with_one_fault_is_found_out(lives: list[Life], mutant: str) -> None:
    assert forgotten(lives, KNOWN_AT_MUTANTS[mutant]) > 0


@pytest.mark.parametrize("mutant", AS_OF_MUTANTS)
def test_an_as_of_with_one_fault_is_found_out(lives: list[Life], mutant: str) -> None:
    assert wrong_folds(lives, AS_OF_MUTANTS[mutant]) > 0
