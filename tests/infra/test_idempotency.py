"""Requests that are answered once, also when the first try ended half way."""

import pytest

from infra import aws, idempotency
from infra.idempotency import Answer, IdempotencyStore
from infra.write_outcomes import BusyError
from tests.faults import Crash

PAYLOAD: Answer = {"contract_number": "1001"}


@pytest.fixture
def keys(cloud: None) -> IdempotencyStore:
    return IdempotencyStore(aws.dynamodb(), "idempotency")


def crash() -> Answer:
    raise Crash


def begin_and_crash(keys: IdempotencyStore) -> None:
    with pytest.raises(Crash):
        keys.answer("create", "key", PAYLOAD, crash)


def test_while_a_request_is_in_progress_its_repetition_is_busy(keys: IdempotencyStore) -> None:
    begin_and_crash(keys)
    with pytest.raises(BusyError):
        keys.answer("create", "key", PAYLOAD, dict)


def test_a_request_that_never_ended_may_be_sent_again(
    keys: IdempotencyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_MAX_REQUEST_MILLIS", -1000)
    begin_and_crash(keys)
    assert keys.answer("create", "key", PAYLOAD, lambda: {"done": True}) == {"done": True}


def test_the_same_key_for_another_operation_is_another_request(keys: IdempotencyStore) -> None:
    keys.answer("create", "key", PAYLOAD, lambda: {"first": True})
    assert keys.answer("export", "key", PAYLOAD, lambda: {"second": True}) == {"second": True}
