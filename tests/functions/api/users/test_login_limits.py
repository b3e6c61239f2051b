"""How often a login may be tried, counted by account and source, and what a try may cost."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from functions.api.middleware import MAX_CREDENTIALS_BYTES
from infra.contracts.event_payloads import EventPayload, field_errors
from infra.stores import stores
from infra.users.login_throttle import (
    KNOWN_FOR_SECONDS,
    PER_ACCOUNT,
    PER_ACCOUNT_AND_SOURCE,
    ThrottledError,
    account_of,
)
from tests.conftest import application
from tests.functions.api.calls import event
from tests.functions.api.people import PASSWORD, make_user

JSON = {"Content-Type": "application/json"}
WRONG = PASSWORD[::-1]
TRIES = PER_ACCOUNT_AND_SOURCE.attempts

From = Callable[[str], TestClient]


@pytest.fixture
def caller_from(closed: None) -> From:
    """Return what makes a caller of an address."""
    app = application()
    return lambda address: TestClient(app, client=(address, 50000))


def status(caller: TestClient, name: str, password: str = WRONG) -> int:
    return caller.post("/token", data={"username": name, "password": password}).status_code


def test_all_names_of_a_user_count_as_one_account(caller_from: From) -> None:
    make_user("ada")
    caller = caller_from("192.0.2.1")
    names = ["ada", "ada@example.com", "ADA", "Ada@Example.com"] * (TRIES // 2)

    statuses = [status(caller, name) for name in names]

    assert statuses == [401] * TRIES + [429] * (len(names) - TRIES)


def test_wrong_passwords_from_another_source_do_not_lock_an_account(caller_from: From) -> None:
    make_user("ada")
    attacker, owner = caller_from("192.0.2.1"), caller_from("192.0.2.2")
    assert [status(attacker, "ada") for _ in range(TRIES + 2)] == [401] * TRIES + [429] * 2

    assert status(owner, "ada", PASSWORD) == 200
    assert status(attacker, "ada", PASSWORD) == 429


def exhaust(user_id: str) -> None:
    """Use up the limit of an account, as if many sources had done it."""
    store, now = stores().throttles, datetime.now(UTC)
    for _ in range(PER_ACCOUNT.attempts):
        with suppress(ThrottledError):
            store.count(PER_ACCOUNT, account_of(user_id, ""), now)


def test_many_sources_exhaust_the_limit_of_an_account_but_not_for_known_sources(caller_from: From) -> None:
    user = make_user("ada")
    known, other = caller_from("192.0.2.1"), caller_from("192.0.2.2")
    assert status(known, "ada", PASSWORD) == 200
    exhaust(user.id)

    assert status(other, "ada", PASSWORD) == 429
    assert status(known, "ada", PASSWORD) == 200
    # The known source has its own limit, and is known for this account alone.
    assert [status(known, "ada") for _ in range(TRIES)] == [401] * (TRIES - 2) + [429] * 2
    exhaust(make_user("eve").id)
    assert status(known, "eve", PASSWORD) == 429


def test_a_source_is_known_for_30_days_after_a_login(cloud: None) -> None:
    store, now = stores().throttles, datetime.now(UTC)
    store.remember("user 1", "192.0.2.1", now)
    for seconds, known in ((KNOWN_FOR_SECONDS - 5, True), (KNOWN_FOR_SECONDS + 5, False)):
        at = now + timedelta(seconds=seconds)
        assert store._is_known("user 1", "192.0.2.1", at) is known
    assert not store._is_known("user 1", "192.0.2.2", now)


AUTH_PATHS = (
    "/token",
    *(f"/api/v1/auth/{name}" for name in ("login", "token", "register", "refresh", "logout")),
)


@pytest.mark.parametrize("path", AUTH_PATHS)
def test_a_body_with_credentials_is_at_most_16_kib(api: TestClient, path: str) -> None:
    for size, too_large in ((MAX_CREDENTIALS_BYTES, False), (MAX_CREDENTIALS_BYTES + 1, True)):
        answer = api.post(path, content=b" " * size, headers=JSON)
        assert (answer.status_code == 413) is too_large, (path, size)
        assert MAX_CREDENTIALS_BYTES == 16 * 1024


def flood(count: int) -> dict[str, object]:
    return {f"unknown{number}": number for number in range(count)}


@pytest.mark.parametrize("path", ["/token", "/api/v1/auth/register", "/api/v1/auth/refresh"])
def test_unknown_fields_are_refused_without_listing_them_all(api: TestClient, path: str) -> None:
    for body in (flood(700), flood(700) | {"username": "ada", "password": "x"}):
        answer = api.post(path, content=json.dumps(body), headers=JSON)
        assert answer.status_code == 422
        assert 0 < len(answer.json()["details"]) <= 20
        assert len(answer.content) < 3000


def test_a_flood_of_unknown_fields_costs_little_more_than_reading_it() -> None:
    body = json.dumps(event() | flood(40_000))

    def seconds(work: Callable[[], object]) -> float:
        measured = []
        for _ in range(3):
            started = time.process_time()
            work()
            measured.append(time.process_time() - started)
        return min(measured)

    def validate() -> None:
        with pytest.raises(ValidationError) as error:
            EventPayload.model_validate(json.loads(body))
        assert len(field_errors(list(error.value.errors()))) == 20

    assert seconds(validate) < 3 * seconds(lambda: json.loads(body))
