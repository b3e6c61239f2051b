"""The table of doors, against every route of the application and every kind of caller."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from domain.users import Role
from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.app import create_app
from tests.functions.api.people import Headers, bearer, enter, log_in, make_key, make_user

IDS = {
    "contract_number": "1001",
    "user_id": "0" * 32,
    "key_id": "0" * 16,
    "name": "swagger-ui.css",
    "smart_meter_id": "123",
    "job_id": "00000000-0000-4000-8000-000000000000",
}
NOT_LET_IN = {401, 403}

# What each caller passes, by the door. A key is no session, whatever its role.
PASSES = {
    "nobody": {AccessRule.PUBLIC},
    "viewer": {AccessRule.PUBLIC, AccessRule.VIEWER, AccessRule.USER, AccessRule.SESSION},
    "operator": {
        AccessRule.PUBLIC,
        AccessRule.VIEWER,
        AccessRule.OPERATOR,
        AccessRule.USER,
        AccessRule.SESSION,
    },
    "admin": set(AccessRule),
    "viewer's key": {AccessRule.PUBLIC, AccessRule.VIEWER, AccessRule.USER},
    "operator's key": {AccessRule.PUBLIC, AccessRule.VIEWER, AccessRule.OPERATOR, AccessRule.USER},
    "admin's key": set(AccessRule) - {AccessRule.SESSION},
    "admin's key for viewing": {AccessRule.PUBLIC, AccessRule.VIEWER, AccessRule.USER},
}


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in iter_route_contexts(app.routes):
        assert route.path is not None
        for method in (route.methods or set()) - {"HEAD"}:
            yield method, route.path


def test_every_route_has_a_door_and_every_door_a_route() -> None:
    assert set(routes(create_app())) == set(ACCESS_RULES)


def behind(door: AccessRule) -> set[str]:
    return {f"{method} {path}" for (method, path), asked in ACCESS_RULES.items() if asked is door}


def test_operators_also_create_contracts_send_events_store_readings_and_export() -> None:
    assert behind(AccessRule.OPERATOR) == {
        *("POST /contract", "POST /event", "POST /events"),
        "PUT /api/meters/{smart_meter_id}",
        *("PUT /api/meters/{smart_meter_id}/readings", "POST /api/export/csv", "DELETE /api/export/{job_id}"),
    }


def test_admins_also_delete_replay_and_manage_users() -> None:
    users = {
        f"{method} /api/v1/users{path}"
        for method, path in [
            ("GET", ""),
            ("POST", ""),
            *((m, "/{user_id}") for m in ("GET", "PUT", "DELETE")),
        ]
    }
    assert behind(AccessRule.ADMIN) == users | {
        "DELETE /api/meters/{smart_meter_id}/readings",
        "DELETE /contract/{contract_number}",
        "POST /contract/{contract_number}/replay",
    }


def test_nothing_is_public_but_the_service_itself_and_coming_in_and_going_out() -> None:
    ways = {f"POST /api/v1/auth/{way}" for way in ("register", "login", "token", "refresh", "logout")}
    assert behind(AccessRule.PUBLIC) == ways | {
        "POST /token",
        *(f"GET {path}" for path in ("/", "/health", "/health/ready", "/openapi.json")),
        *(f"GET /docs{path}" for path in ("", "/start.js", "/{name}")),
    }


def test_what_is_left_reads_or_is_ones_own() -> None:
    assert all(line.startswith("GET /") for line in behind(AccessRule.VIEWER))
    own = ("/api/v1/users/me", "/api/v1/api-keys")
    assert all(
        line.split(" ")[1].startswith(own) for line in behind(AccessRule.USER) | behind(AccessRule.SESSION)
    )


def test_what_is_not_a_route_of_ours_is_public() -> None:
    foreign = [
        (method, route.path)
        for route in iter_route_contexts(create_app().routes)
        if not hasattr(route, "dependant")
        for method in (route.methods or set()) - {"HEAD"}
    ]

    # No dependency guards these.
    assert {ACCESS_RULES[method, str(path)] for method, path in foreign} <= {AccessRule.PUBLIC}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
def test_a_route_without_a_door_lets_nobody_in(cloud: None, headers: Headers) -> None:
    app = create_app()

    @app.get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    answer = TestClient(app).get("/forgotten", headers=headers)

    # Not even where everybody is let in.
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def callers(api: TestClient) -> dict[str, Headers]:
    sessions: dict[str, Headers] = {role.value: enter(api, role) for role in Role}
    keys = {f"{role}'s key": make_key(api, sessions[role], role)["key"] for role in Role}
    keys["admin's key for viewing"] = make_key(api, sessions["admin"], Role.VIEWER)["key"]
    return {"nobody": {}} | sessions | {name: {"X-API-Key": key} for name, key in keys.items()}


def test_every_caller_passes_exactly_the_doors_of_its_role(closed: None, api: TestClient) -> None:
    shown = callers(api)
    assert set(shown) == set(PASSES)
    for (method, path), door in ACCESS_RULES.items():
        for caller, headers in shown.items():
            if path.endswith("/logout"):
                continue  # public, and asks for a session itself
            body: dict[str, str] | None = None if method in ("GET", "DELETE") else {}
            answer = api.request(method, path.format(**IDS), headers=headers, json=body)
            where = method, path, caller, answer.text[:200]
            if door not in PASSES[caller]:
                assert answer.status_code == (401 if caller == "nobody" else 403), where
            else:
                assert answer.status_code not in NOT_LET_IN, where
                assert answer.status_code < 500, where


def _asks_in_its_body(path: str) -> bool:
    return path.startswith("/api/v1/auth/logout")


def test_a_malformed_body_gets_nobody_past_the_door(closed: None, api: TestClient) -> None:
    viewer = enter(api, Role.VIEWER)
    for content in (b"{", b"\xff\xfe", b"[" * 3000, b"", b"null", b'{"type": 1}'):
        for path in ("/event", "/events", "/contract"):
            for headers, status in (({}, 401), (viewer, 403)):
                answer = api.post(
                    path, content=content, headers={"Content-Type": "application/json"} | headers
                )
                assert answer.status_code == status, (path, content[:10])


def test_what_is_no_route_is_told_to_everybody(closed: None, api: TestClient) -> None:
    assert api.get("/nix").status_code == 404
    assert api.patch("/contract").status_code == 405


def test_a_change_of_role_counts_with_the_next_request(closed: None, api: TestClient) -> None:
    admin = enter(api, Role.ADMIN)
    user = make_user("ada", Role.OPERATOR)
    ada = bearer(log_in(api, "ada"))
    key = {"X-API-Key": make_key(api, ada, Role.OPERATOR)["key"]}
    contract = {"contract_number": "1001", "components": ["energy_supply"]}
    assert api.post("/contract", json=contract, headers=ada).status_code == 201
    assert api.post("/contract", json=contract, headers=key).status_code == 409

    api.put(f"/api/v1/users/{user.id}", json={"role": "viewer"}, headers=admin)

    for shown in (ada, key):
        assert api.post("/contract", json=contract, headers=shown).status_code == 403
        assert api.get("/contract", headers=shown).status_code == 200


def test_where_everybody_is_let_in_credentials_still_say_as_whom(api: TestClient) -> None:
    viewer = enter(api, Role.VIEWER)
    contract = {"contract_number": "1001", "components": ["energy_supply"]}

    assert api.get("/api/v1/users/me", headers=viewer).json()["username"] == "viewer"
    assert api.post("/contract", json=contract, headers=viewer).status_code == 403
    assert api.post("/contract", json=contract).status_code == 201
    # Nobody in particular has no account.
    assert api.get("/api/v1/users/me").status_code == 401
    assert api.get("/api/v1/users").status_code == 200
