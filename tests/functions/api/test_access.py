"""The table of access rules, against every route of the application and every kind of caller."""

from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from domain.users import Role
from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.app import create_app
from tests.functions.api.people import Headers, bearer, enter, log_in, make_key, make_user

IDS = {
    "contract_number": "1001",
    "user_id": "0" * 32,
    "key_id": "0" * 16,
    "key": "0" * 32,
    "name": "swagger-ui.css",
    "version": "0" * 16,
    "folder": "views",
    "smart_meter_id": "123",
    "job_id": "00000000-0000-4000-8000-000000000000",
}
NOT_LET_IN = {401, 403}

# The access rules that each caller satisfies. A key is not a session, whatever its role.
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


def test_every_route_has_a_rule_and_every_rule_a_route() -> None:
    assert set(routes(create_app())) == set(ACCESS_RULES)


def routes_with(rule: AccessRule) -> set[str]:
    return {f"{method} {path}" for (method, path), asked in ACCESS_RULES.items() if asked is rule}


def test_operators_also_create_contracts_send_events_store_readings_and_export() -> None:
    assert routes_with(AccessRule.OPERATOR) == {
        *(
            "POST /contract",
            "PATCH /contract/{contract_number}",
            "POST /contracts",
            "POST /event",
            "POST /events",
        ),
        "POST /api/export/contracts",
        "PUT /api/meters/{smart_meter_id}",
        *("PUT /api/meters/{smart_meter_id}/readings", "POST /api/export/csv", "DELETE /api/export/{job_id}"),
    }


def test_admins_also_delete_replay_void_redrive_and_manage_users() -> None:
    users = {
        f"{method} /api/v1/users{path}"
        for method, path in [
            ("GET", ""),
            ("POST", ""),
            *((m, "/{user_id}") for m in ("GET", "PUT", "DELETE")),
        ]
    }
    assert routes_with(AccessRule.ADMIN) == users | {
        "DELETE /api/meters/{smart_meter_id}/readings",
        "DELETE /contract/{contract_number}",
        "POST /contract/{contract_number}/replay",
        "POST /contract/{contract_number}/events/{key}/void",
        "GET /dead-letters",
        "POST /dead-letters/redrive",
    }


def test_only_the_service_pages_and_the_login_routes_are_public() -> None:
    ways = {f"POST /api/v1/auth/{way}" for way in ("register", "login", "token", "refresh", "logout")}
    assert routes_with(AccessRule.PUBLIC) == ways | {
        "POST /token",
        *(f"GET {path}" for path in ("/", "/health", "/health/ready", "/openapi.json")),
        *(f"GET /docs{path}" for path in ("", "/start.js", "/{name}")),
        *(f"GET /ui{path}" for path in ("", "/assets/{version}/{name}", "/assets/{version}/{folder}/{name}")),
    }


def test_all_other_routes_only_read_or_concern_the_callers_own_account() -> None:
    assert all(line.startswith("GET /") for line in routes_with(AccessRule.VIEWER))
    own = ("/api/v1/users/me", "/api/v1/api-keys")
    assert all(
        line.split(" ")[1].startswith(own)
        for line in routes_with(AccessRule.USER) | routes_with(AccessRule.SESSION)
    )


async def say_secret(request: Request) -> JSONResponse:
    return JSONResponse("secret")


def unchecked_routers() -> list[APIRouter]:
    """Routers with a route that checks nothing: FastAPI's own, Starlette's, and an application of its own."""
    fastapi, starlette, mounted = APIRouter(), APIRouter(), APIRouter()
    fastapi.get("/forgotten")(say_secret)
    starlette.routes.append(Route("/forgotten", say_secret))
    mounted.routes.append(Mount("/forgotten", Starlette()))
    return [fastapi, starlette, mounted]


@pytest.mark.parametrize("number", range(3))
def test_an_application_with_a_route_that_checks_no_access_does_not_start(number: int) -> None:
    with pytest.raises(TypeError, match=r"/forgotten.*CheckedRoute"):
        create_app(routers=[unchecked_routers()[number]])


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
def test_a_route_without_a_rule_refuses_every_caller(cloud: None, headers: Headers) -> None:
    app = create_app()

    @app.get("/forgotten")
    async def forgotten() -> str:
        return "secret"

    answer = TestClient(app).get("/forgotten", headers=headers)

    # Not even with AUTH_MODE=open.
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def callers(api: TestClient) -> dict[str, Headers]:
    sessions: dict[str, Headers] = {role.value: enter(api, role) for role in Role}
    keys = {f"{role}'s key": make_key(api, sessions[role], role)["key"] for role in Role}
    keys["admin's key for viewing"] = make_key(api, sessions["admin"], Role.VIEWER)["key"]
    return {"nobody": {}} | sessions | {name: {"X-API-Key": key} for name, key in keys.items()}


@pytest.mark.slow
def test_every_caller_passes_exactly_the_rules_of_its_role(closed: None, api: TestClient) -> None:
    shown = callers(api)
    assert set(shown) == set(PASSES)
    for (method, path), rule in ACCESS_RULES.items():
        for caller, headers in shown.items():
            if path.endswith("/logout"):
                continue  # public, and asks for a session itself
            body: dict[str, str] | None = None if method in ("GET", "DELETE") else {}
            answer = api.request(method, path.format(**IDS), headers=headers, json=body)
            where = method, path, caller, answer.text[:200]
            if rule not in PASSES[caller]:
                assert answer.status_code == (401 if caller == "nobody" else 403), where
            else:
                assert answer.status_code not in NOT_LET_IN, where
                assert answer.status_code < 500, where


def test_a_malformed_body_does_not_bypass_the_access_check(closed: None, api: TestClient) -> None:
    viewer = enter(api, Role.VIEWER)
    for content in (b"{", b"\xff\xfe", b"[" * 3000, b"", b"null", b'{"type": 1}'):
        for path in ("/event", "/events", "/contract"):
            for headers, status in (({}, 401), (viewer, 403)):
                answer = api.post(
                    path, content=content, headers={"Content-Type": "application/json"} | headers
                )
                assert answer.status_code == status, (path, content[:10])


def test_an_unknown_route_is_404_for_every_caller(closed: None, api: TestClient) -> None:
    assert api.get("/nix").status_code == 404
    assert api.patch("/contract").status_code == 405


def test_a_change_of_role_takes_effect_with_the_next_request(closed: None, api: TestClient) -> None:
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


def test_with_auth_mode_open_credentials_still_identify_the_caller(api: TestClient) -> None:
    viewer = enter(api, Role.VIEWER)
    contract = {"contract_number": "1001", "components": ["energy_supply"]}

    assert api.get("/api/v1/users/me", headers=viewer).json()["username"] == "viewer"
    assert api.post("/contract", json=contract, headers=viewer).status_code == 403
    assert api.post("/contract", json=contract).status_code == 201
    # An anonymous caller has no account.
    assert api.get("/api/v1/users/me").status_code == 401
    assert api.get("/api/v1/users").status_code == 200
