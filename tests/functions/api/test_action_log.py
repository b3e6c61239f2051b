"""The action log: logins, refusals, changes of roles and keys, deletions, replays."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.users import Role
from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.action_log import ACTIONS
from tests.functions.api.calls import create
from tests.functions.api.people import PASSWORD, Headers, bearer, log_in, make_key, make_user

LogLines = Callable[[], list[dict[str, Any]]]


def actions(log_lines: LogLines) -> list[dict[str, Any]]:
    return [line for line in log_lines() if line["message"] == "Action"]


def last(log_lines: LogLines) -> dict[str, Any]:
    return actions(log_lines)[-1]


def said(line: dict[str, Any], *more: str) -> dict[str, Any]:
    return {name: line.get(name) for name in ("action", "outcome", "actor", "target", *more)}


@pytest.fixture
def admin(closed: None, api: TestClient) -> tuple[str, Headers]:
    user = make_user("admin", Role.ADMIN)
    return f"user:{user.id}", bearer(log_in(api, "admin"))


def test_actions_of_admins_and_changes_of_accounts_are_always_logged() -> None:
    expected = {
        route
        for route, rule in ACCESS_RULES.items()
        if route[0] != "GET"
        and (rule in (AccessRule.ADMIN, AccessRule.SESSION) or route[1].startswith("/api/v1/"))
    }
    assert expected | {("POST", "/token"), ("PATCH", "/contract/{contract_number}")} == set(ACTIONS)


def test_each_login_is_logged_with_its_outcome(closed: None, api: TestClient, log_lines: LogLines) -> None:
    user = make_user("ada")
    log_in(api, "ada")
    target = f"user:{user.id}"
    line = last(log_lines)
    assert said(line) == {"action": "login", "outcome": "done", "actor": target, "target": target}
    assert (line["level"], line["source"]) == ("INFO", "testclient")

    api.post("/token", data={"username": "ada@example.com", "password": "wrong password"})
    refused = {"action": "login", "outcome": "refused", "actor": "nobody", "target": target}
    assert said(last(log_lines)) == refused
    assert last(log_lines)["level"] == "WARNING"

    api.post("/token", data={"username": "hush", "password": "wrong password"})
    assert said(last(log_lines)) == refused | {"target": None}

    for _ in range(10):
        api.post("/token", data={"username": "ada", "password": "wrong password"})
    assert said(last(log_lines)) == refused | {"outcome": "throttled"}
    assert last(log_lines)["correlation_id"]


def test_a_refusal_names_the_actor_and_the_route(closed: None, api: TestClient, log_lines: LogLines) -> None:
    create_as = {"contract_number": "1001", "components": ["energy_supply"]}
    user = make_user("ada")
    shown = bearer(log_in(api, "ada"))
    key = make_key(api, shown, Role.VIEWER)
    for headers, actor, status in (
        ({}, "nobody", 401),
        ({"X-API-Key": "x"}, "nobody", 401),
        (shown, f"user:{user.id}", 403),
        ({"X-API-Key": key["key"]}, f"api_key:{key['id']}", 403),
    ):
        assert api.post("/contract", json=create_as, headers=headers).status_code == status
        assert said(last(log_lines), "route", "status") == {
            "action": "request",
            "outcome": "refused",
            "actor": actor,
            "target": None,
            "route": "POST /contract",
            "status": status,
        }
    api.delete("/contract/1001", headers=shown)
    assert said(last(log_lines)) == {
        "action": "contract_deletion",
        "outcome": "refused",
        "actor": f"user:{user.id}",
        "target": "contract:1001",
    }


def test_changes_of_users_are_logged_with_actor_and_target(
    api: TestClient, admin: tuple[str, Headers], log_lines: LogLines
) -> None:
    actor, shown = admin
    ada = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
    user = api.post("/api/v1/users", json=ada, headers=shown).json()["id"]
    done = {"outcome": "done", "actor": actor}
    assert said(last(log_lines), "role") == done | {
        "action": "user_creation",
        "target": f"user:{user}",
        "role": "viewer",
    }

    api.put(f"/api/v1/users/{user}", json={"role": "admin", "is_active": True}, headers=shown)
    assert said(last(log_lines), "role", "changed") == done | {
        "action": "user_change",
        "target": f"user:{user}",
        "role": "admin",
        "changed": ["is_active", "role"],
    }
    api.delete(f"/api/v1/users/{user}", headers=shown)
    assert said(last(log_lines)) == done | {"action": "user_deletion", "target": f"user:{user}"}
    api.delete(f"/api/v1/users/{user}", headers=shown)
    assert said(last(log_lines), "status")["outcome"] == "refused"


def test_changes_of_keys_and_contracts_are_logged_with_actor_and_target(
    api: TestClient, admin: tuple[str, Headers], log_lines: LogLines
) -> None:
    actor, shown = admin
    done = {"outcome": "done", "actor": actor}
    key = make_key(api, shown, Role.OPERATOR)["id"]
    assert said(last(log_lines), "role") == done | {
        "action": "api_key_creation",
        "target": f"api_key:{key}",
        "role": "operator",
    }
    api.delete(f"/api/v1/api-keys/{key}", headers=shown)
    assert said(last(log_lines)) == done | {"action": "api_key_revocation", "target": f"api_key:{key}"}

    body = {"contract_number": "1001", "components": ["energy_supply"]}
    assert api.post("/contract", json=body, headers=shown).status_code == 201
    api.post("/contract/1001/replay", headers=shown)
    assert said(last(log_lines)) == done | {"action": "replay", "target": "contract:1001"}
    more = {"components": ["energy_supply", "heatpump_optimization"]}
    assert api.patch("/contract/1001", json=more, headers=shown).status_code == 200
    assert said(last(log_lines)) == done | {"action": "contract_change", "target": "contract:1001"}
    api.post(f"/contract/1001/events/{'0' * 32}/void", json={"reason": "wrong"}, headers=shown)
    void = {"action": "void", "target": "contract:1001", "outcome": "refused"}
    assert said(last(log_lines)) == done | void
    assert last(log_lines)["event_key"] == "0" * 32
    api.delete("/contract/1001", headers=shown)
    assert said(last(log_lines)) == done | {"action": "contract_deletion", "target": "contract:1001"}

    api.post("/api/v1/auth/logout", headers=shown)
    assert said(last(log_lines)) == done | {"action": "logout", "target": None}


def test_a_reused_refresh_token_is_logged(closed: None, api: TestClient, log_lines: LogLines) -> None:
    user = make_user("ada")
    body = {"refresh_token": log_in(api, "ada")["refresh_token"]}
    for outcome, reused in (("done", None), ("refused", True)):
        api.post("/api/v1/auth/refresh", json=body)
        line = last(log_lines)
        assert (line["action"], line["outcome"], line.get("reused")) == ("refresh", outcome, reused)
        assert line["actor"] == f"user:{user.id}"


def test_ordinary_requests_are_not_logged(api: TestClient, log_lines: LogLines) -> None:
    create(api)
    api.get("/contract/1001")
    api.get("/contract/9999")
    api.post("/event", content=b"{")
    assert actions(log_lines) == []


def test_the_log_contains_no_secret_and_no_email_address(
    api: TestClient, admin: tuple[str, Headers], log_lines: LogLines
) -> None:
    _, shown = admin
    user = make_user("ada")
    tokens = log_in(api, "ada")
    key = make_key(api, bearer(tokens), Role.VIEWER, name="hush")["key"]
    change = {"email": "new@example.com", "password": "a new password!", "current_password": PASSWORD}
    api.put("/api/v1/users/me", json=change, headers=bearer(tokens))
    api.put(f"/api/v1/users/{user.id}", json={"email": "newer@example.com"}, headers=shown)
    api.post("/token", data={"username": "typed@example.com", "password": "hunter2hunter2"})
    api.get("/api/v1/users", headers={"X-API-Key": key})

    text = json.dumps(actions(log_lines))

    assert len(actions(log_lines)) >= 5
    secrets = (PASSWORD, "a new password!", "hunter2", key, key[-64:], "hush")
    given = (tokens["access_token"], tokens["refresh_token"])
    for secret in (*secrets, *given, "example.com", "password_hash", "argon2"):
        assert secret not in text
