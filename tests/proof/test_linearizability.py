"""Concurrent callers get the answers that some serial order of their events would have given.

AWS's own DynamoDB Local, the application in several processes, and clients that send colliding
events to one contract at once. `PROOF=full` runs the whole proof; without it, a part.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest

from domain.contracts.events import Action
from domain.contracts.timelines import Span
from domain.contracts.verdicts import Code
from tests.conftest import create_table
from tests.engines import client_of
from tests.proof.linearizability import Call, is_linearizable
from tests.proof.serving import (
    CLIENTS,
    EVENTS_OF_A_CLIENT,
    History,
    Row,
    run_history,
    serving,
    show,
)
from tests.proof_level import cases
from tests.small_cases import COMPONENT

HISTORIES, NAIVE_HISTORIES = cases(10, 200), cases(10, 50)
CORRECTED_HISTORIES, CARELESS_HISTORIES = cases(6, 200), cases(5, 50)


@pytest.fixture
def ports(
    environment: None, engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[list[int]]:
    table = f"contracts-{uuid4().hex}"
    create_table(client_of(engine), "ContractsTable", table)
    variables = {"AWS_ENDPOINT_URL": engine, "CONTRACTS_TABLE": table, "ENABLE_EVENT_AUDIT": "true"}
    with serving(request.param, variables, tmp_path / "log") as ports:
        yield ports


@pytest.mark.parametrize("ports", ["functions.api.app:create_app"], indirect=True, ids=[""])
def test_some_order_explains_every_answer_and_the_trail_holds_each_once(ports: Sequence[int]) -> None:
    started = time.monotonic()
    codes: Counter[Code] = Counter()
    resent = 0
    for seed in range(HISTORIES):
        history = run_history(ports, seed, audited=True)
        assert len(history.calls) == CLIENTS * EVENTS_OF_A_CLIENT
        assert explained(history), f"no order explains history {seed}:\n{show(history.calls)}"
        assert by_id(history.trail) == by_id(
            Row(call.event, call.answer, "accepted" if call.answer.code is Code.ACCEPTED else "rejected")
            for call in events_of(history)
        )
        assert history.final[COMPONENT] == Span(*(latest_accepted(history, action) for action in Action))
        codes.update(call.answer.code for call in events_of(history))
        resent += history.resent
    say(
        f"{HISTORIES} histories, 0 violations, {resent} sent again,"
        f" {time.monotonic() - started:.0f} s: {dict(codes.most_common())}"
    )
    # Histories in which a rule never spoke would prove nothing about it.
    assert set(codes) == set(Code) - {Code.CONTRACT_NOT_FOUND, Code.COMPONENT_NOT_CONFIGURED}


@pytest.mark.parametrize("ports", ["tests.proof.naive:create_naive_app"], indirect=True, ids=[""])
def test_a_store_that_reads_before_it_writes_is_found_out(ports: Sequence[int]) -> None:
    started = time.monotonic()
    histories = [run_history(ports, seed, audited=False) for seed in range(NAIVE_HISTORIES)]
    flagged = sum(not explained(history) for history in histories)
    say(f"{flagged} of {NAIVE_HISTORIES} naive histories flagged, {time.monotonic() - started:.0f} s")
    assert flagged >= 0.8 * NAIVE_HISTORIES


@pytest.mark.parametrize("ports", ["functions.api.app:create_app"], indirect=True, ids=[""])
def test_some_order_explains_every_answer_with_voids_and_patches_among_the_events(
    ports: Sequence[int],
) -> None:
    started = time.monotonic()
    kinds: Counter[str] = Counter()
    for seed in range(CORRECTED_HISTORIES):
        history = run_history(ports, seed, audited=True, corrected=True)
        assert explained(history), f"no order explains history {seed}:\n{show(history.calls)}"
        assert sorted(row.event.key for row in history.trail) == sorted(
            call.event.key for call in events_of(history)
        )
        kinds.update(type(call).__name__ for call in history.calls)
    say(
        f"{CORRECTED_HISTORIES} corrected histories, 0 violations, {time.monotonic() - started:.0f} s: {dict(kinds)}"
    )
    assert set(kinds) == {"Call", "VoidCall", "PatchCall"}


@pytest.mark.parametrize("ports", ["tests.proof.naive:create_careless_app"], indirect=True, ids=[""])
def test_corrections_that_overwrite_what_came_in_between_are_found_out(ports: Sequence[int]) -> None:
    histories = [run_history(ports, seed, audited=True, corrected=True) for seed in range(CARELESS_HISTORIES)]
    flagged = sum(not explained(history) for history in histories)
    say(f"{flagged} of {CARELESS_HISTORIES} carelessly corrected histories flagged")
    assert flagged >= 0.3 * CARELESS_HISTORIES


def events_of(history: History) -> list[Call]:
    return [call for call in history.calls if isinstance(call, Call)]


def say(figures: str) -> None:
    """Print figures where `pytest -s` shows them, which of a worker's output is what goes to stderr."""
    sys.stderr.write(f"\n{figures}\n")


def explained(history: History) -> bool:
    return is_linearizable(history.contract, history.calls, history.final)


def latest_accepted(history: History, action: Action) -> date | None:
    """Return the date of the accepted start or end with the last `created_at`."""
    accepted = [
        row.event for row in history.trail if row.status == "accepted" and row.event.type.action is action
    ]
    return max(accepted, key=lambda event: event.created_at).date if accepted else None


def by_id(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str(row.event.id))
