"""The cost of authentication: one more call to DynamoDB, for every kind of credential."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from domain.users import Role
from infra.settings import settings
from infra.stores import stores
from infra.users.login_throttle import PER_SOURCE
from infra.users.passwords import _hashes
from tests.functions.api.calls import event
from tests.functions.api.conftest import Calls
from tests.functions.api.people import Headers, bearer, log_in, make_key, make_user

EVENT_ALONE = ["TransactWriteItems"]


@pytest.fixture
def shown(closed: None, api: TestClient) -> dict[str, Headers]:
    make_user("op", Role.OPERATOR)
    session = bearer(log_in(api, "op"))
    key = make_key(api, session, Role.OPERATOR)["key"]
    body = {"contract_number": "1001", "components": ["energy_supply"]}
    for headers in (session, {"X-API-Key": key}):
        assert api.post("/contract", json=body, headers=headers).status_code in {201, 409}
    return {"session": session, "key": {"X-API-Key": key}}


def send(api: TestClient, headers: Headers, at: str) -> None:
    answer = api.post("/event", json=event(created_at=at), headers=headers)
    assert answer.json().get("status") == "accepted", answer.text


@pytest.mark.parametrize("credential", ["session", "key"])
def test_an_event_with_credentials_costs_one_more_call(
    shown: dict[str, Headers],
    api: TestClient,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    credential: str,
) -> None:
    send(api, shown[credential], "2024-01-01T00:00:00Z")
    assert calls == ["BatchGetItem", *EVENT_ALONE]

    calls.clear()
    monkeypatch.setenv("AUTH_MODE", "open")
    settings.cache_clear()
    send(api, {}, "2024-01-02T00:00:00Z")
    assert calls == EVENT_ALONE


def test_the_use_of_a_key_is_recorded_once_an_hour(
    shown: dict[str, Headers], api: TestClient, calls: Calls
) -> None:
    key = shown["key"]["X-API-Key"]
    store = stores().api_keys
    _, stored = store.get(*key.split("_")[1:3])
    assert stored is not None
    calls.clear()

    for minutes in (1, 30, 59):
        store.record_use(stored, datetime.now(UTC) + timedelta(minutes=minutes))
    assert calls == []
    store.record_use(stored, datetime.now(UTC) + timedelta(minutes=61))
    assert calls == ["UpdateItem"]


def test_malformed_credentials_cost_no_call(closed: None, api: TestClient, calls: Calls) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-API-Key": "x"}, {"Authorization": "Basic Og=="}):
        assert api.post("/event", json=event(), headers=headers).status_code == 401

    assert calls == []


def test_a_login_with_an_unknown_name_costs_the_same_calls(
    closed: None, api: TestClient, calls: Calls
) -> None:
    make_user("ada")
    asked = []
    for name in ("ada", "nobody"):
        calls.clear()
        api.post("/token", data={"username": name, "password": "wrong password"})
        asked.append(list(calls))

    assert asked[0].count("GetItem") == 2
    # Each counter was new: a try, then its first window.
    assert asked[1] == asked[0][:1] + asked[1][1:]
    assert [call for call in asked[1] if call == "GetItem"] == ["GetItem"] * 2


def test_a_limited_login_is_refused_before_a_password_is_hashed(
    closed: None, api: TestClient, calls: Calls
) -> None:
    for _ in range(10):
        api.post("/token", data={"username": "nobody", "password": "wrong password"})
    calls.clear()
    hashed = _hashes.cache_info().hits

    assert api.post("/token", data={"username": "nobody", "password": "x"}).status_code == 429

    # The source first, then whose name it is, then the account.
    assert calls == ["UpdateItem", "GetItem", "GetItem", "UpdateItem"]
    assert _hashes.cache_info().hits == hashed


def test_a_limited_source_is_refused_before_anything_is_read(
    closed: None, api: TestClient, calls: Calls
) -> None:
    store, now = stores().throttles, datetime.now(UTC)
    for _ in range(PER_SOURCE.attempts):
        store.count(PER_SOURCE, "testclient", now)
    calls.clear()

    for path, body in (("/token", b"{"), ("/token", b"x" * 9000), ("/api/v1/auth/register", b'{"a": 1}')):
        answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 429, path
    assert calls == ["UpdateItem"] * 3
