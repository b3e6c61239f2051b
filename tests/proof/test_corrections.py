"""Corrections against a naive model: nothing may differ, and each mutant of the service has to."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from botocore.config import Config
from fastapi.testclient import TestClient

from domain.meters import hour_changes
from domain.meters.corrections import Effect, Stored, decide
from domain.meters.readings import Reading
from domain.meters.versions import HourBlock
from infra import aws
from infra import stores as composition
from infra.meters import hour_writes, reading_queries, reading_store
from infra.telemetry import logger
from infra.write_outcomes import BusyError
from tests.conftest import application, create_table
from tests.proof.correction_histories import THREADS, History, Recorder
from tests.proof_level import cases

HISTORIES, RACES = cases(12, 60, 9_800), cases(2, 3, 200)
MUTANT_HISTORIES = 200


@pytest.fixture
def api(engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine)
    monkeypatch.setenv("READINGS_TABLE", f"readings-{uuid4().hex}")
    monkeypatch.setattr(aws, "_CONFIG", aws._CONFIG.merge(Config(max_pool_connections=64, read_timeout=60)))
    create_table(aws.dynamodb(), "ReadingsTable", os.environ["READINGS_TABLE"])
    with TestClient(application()) as caller:
        yield caller


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    logger.setLevel("ERROR")
    yield
    logger.setLevel("INFO")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return Recorder(monkeypatch)


def differences(api: TestClient, recorder: Recorder, histories: int) -> list[str]:
    """Run histories, sixteen at a time; return where the service and the model differ."""
    composition.stores()

    def run(seed: int) -> list[str]:
        return History(seed, api, recorder).run(steps=1 + seed % 6).differences

    with ThreadPoolExecutor(THREADS) as pool:
        return [f"{seed}: {found}" for seed, found in enumerate(pool.map(run, range(histories))) if found]


def races(api: TestClient, recorder: Recorder, number: int) -> Iterator[str]:
    """Let sixteen uploads meet again and again; yield where no order of them explains what is stored."""
    for seed in range(1_000_000, 1_000_000 + number):
        if found := History(seed, api, recorder).race().differences:
            yield f"{seed}: {found}"


def test_random_histories_of_corrections_are_those_of_the_naive_model(
    api: TestClient, recorder: Recorder
) -> None:
    assert differences(api, recorder, HISTORIES) == []
    print(f"{HISTORIES} histories, 0 differences")


def test_sixteen_uploads_that_meet_are_those_of_the_naive_model_in_some_order(
    api: TestClient, recorder: Recorder
) -> None:
    assert list(races(api, recorder, RACES)) == []
    print(f"{RACES} races of {THREADS} uploads, 0 differences")


def test_without_the_condition_uploads_that_meet_are_lost(
    api: TestClient, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hour_writes, "IS_UNCHANGED", "#version = :version OR attribute_exists(#version)")
    try:
        assert any(races(api, recorder, 5))
    except BusyError:  # what two uploads replaced has one key, so that one of them is never stored
        return


def _filter_current(block: HourBlock, _: Any, instant: int) -> HourBlock:
    """Show only those versions in force that were recorded by then: the trap."""
    kept = [
        (line, origin)
        for line, origin in zip(block.lines.splitlines(keepends=True), block.origins_by_line(), strict=True)
        if origin.recorded_at <= instant
    ]
    return HourBlock(b"".join(line for line, _ in kept), tuple(origin for _, origin in kept), sums=None)


def _earlier_of_equals(stored: Stored | None, sent: Reading) -> Effect:
    if stored is not None and sent.created_at == stored.origin.rank:
        return Effect.UNCHANGED
    return decide(stored, sent)


def _without_confirmation(stored: Stored | None, sent: Reading) -> Effect:
    if stored is None:
        return Effect.STORED
    return decide(stored._replace(origin=stored.origin._replace(confirmed_at=stored.origin.created_at)), sent)


def _forget_deletions(*arguments: Any, **named: Any) -> Any:
    change, deleted = corrections_delete(*arguments, **named)
    return change._replace(block=replace(change.block, deleted={})), deleted


def _forget_what_was_replaced(*arguments: Any, **named: Any) -> Any:
    return corrections_store(*arguments, **named)._replace(past=[])


def _stale_sums(*arguments: Any, **named: Any) -> Any:
    change = corrections_store(*arguments, **named)
    before = arguments[1]
    return change._replace(block=replace(change.block, sums=before.sums or change.block.sums))


corrections_store, corrections_delete = hour_changes.store, hour_changes.delete

MUTANTS: list[tuple[str, Any, str, Callable[..., Any]]] = [
    ("current versions filtered", reading_queries, "known_at", _filter_current),
    ("the earlier of equals counts", hour_changes, "decide", _earlier_of_equals),
    ("confirmations forgotten", hour_changes, "decide", _without_confirmation),
    ("deletions forgotten", hour_changes, "delete", _forget_deletions),
    ("replaced versions forgotten", hour_changes, "store", _forget_what_was_replaced),
    ("outdated versions kept twice", reading_store, "has_outdated", lambda *_: False),
    ("sums left as they were", hour_changes, "store", _stale_sums),
]


@pytest.mark.parametrize(
    ("module", "name", "mutant"), [mutant[1:] for mutant in MUTANTS], ids=[m[0] for m in MUTANTS]
)
def test_a_mutant_differs_from_the_naive_model(
    api: TestClient,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    mutant: Callable[..., Any],
) -> None:
    monkeypatch.setattr(module, name, mutant)
    found = (History(seed, api, recorder).run(steps=6).differences for seed in count(2_000_000))
    assert any(differing for differing, _ in zip(found, range(MUTANT_HISTORIES), strict=False))
