"""Concurrent callers get the answers that some serial order of their events would have given.

AWS's own DynamoDB Local, the application in several processes, and clients that send colliding
events to one contract at once. `PROOF=full` runs the whole proof; without it, a part.
"""

import math
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
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

HISTORIES, NAIVE_HISTORIES = cases(6, 200), cases(5, 50)
SPOKEN = set(Code) - {Code.CONTRACT_NOT_FOUND, Code.COMPONENT_NOT_CONFIGURED}
CORRECTED_HISTORIES, CARELESS_HISTORIES = cases(4, 200), cases(6, 50)


# All on one worker, which starts the processes once.
pytestmark = pytest.mark.xdist_group("concurrent-callers")

OWN, NAIVE, CARELESS = (
    "functions.api.app:create_app",
    "tests.proof.naive:create_naive_app",
    "tests.proof.naive:create_careless_app",
)


@pytest.fixture(scope="module")
def served(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[int]]]:
    table = f"contracts-{uuid4().hex}"
    create_table(client_of(engine), "ContractsTable", table)
    variables = {"AWS_ENDPOINT_URL": engine, "CONTRACTS_TABLE": table, "ENABLE_EVENT_AUDIT": "true"}
    log = tmp_path_factory.mktemp("served") / "log"
    with serving([OWN, NAIVE, CARELESS], variables, log) as served:
        yield served


@pytest.fixture
def ports(served: dict[str, list[int]], request: pytest.FixtureRequest) -> list[int]:
    return served[request.param]


@pytest.mark.parametrize("ports", [OWN], indirect=True, ids=[""])
def test_some_order_explains_every_answer_and_the_trail_holds_each_once(ports: Sequence[int]) -> None:
    started = time.monotonic()
    codes: Counter[Code] = Counter()
    resent = 0
    # Histories in which a rule never spoke would prove nothing about it: then there are more of them.
    for seed in range(5 * HISTORIES):
        if seed >= HISTORIES and set(codes) == SPOKEN:
            break
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
        f"{sum(codes.values()) // (CLIENTS * EVENTS_OF_A_CLIENT)} histories, 0 violations, {resent} sent again,"
        f" {time.monotonic() - started:.0f} s: {dict(codes.most_common())}"
    )
    assert set(codes) == SPOKEN


@pytest.mark.parametrize("ports", [NAIVE], indirect=True, ids=[""])
def test_a_store_that_reads_before_it_writes_is_found_out(ports: Sequence[int]) -> None:
    histories = (run_history(ports, seed, audited=False) for seed in range(NAIVE_HISTORIES))
    assert are_found_out(histories, math.ceil(0.8 * NAIVE_HISTORIES))


@pytest.mark.parametrize("ports", [OWN], indirect=True, ids=[""])
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


@pytest.mark.parametrize("ports", [CARELESS], indirect=True, ids=[""])
def test_corrections_that_overwrite_what_came_in_between_are_found_out(ports: Sequence[int]) -> None:
    histories = (run_history(ports, seed, audited=True, corrected=True) for seed in range(CARELESS_HISTORIES))
    assert are_found_out(histories, math.ceil(0.3 * CARELESS_HISTORIES))


def are_found_out(histories: Iterable[History], wanted: int) -> bool:
    """Return whether so many of the histories have no explanation, and run no more of them than that needs."""
    run = flagged = 0
    for history in histories:
        run += 1
        flagged += not explained(history)
        if flagged == wanted:
            break
    say(f"{flagged} of {run} histories flagged")
    return flagged == wanted


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
