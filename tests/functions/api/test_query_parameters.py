"""Query parameters that a route does not take, or takes once, are refused before anything is stored."""

from collections.abc import Callable
from typing import Any

from fastapi.testclient import TestClient

from domain.users import Role
from functions.api.access import ACCESS_RULES
from tests.conftest import application
from tests.functions.api.calls import create, event, supply
from tests.functions.api.people import enter
from tests.functions.api.test_access import IDS

APP = application()
DOCUMENT = APP.openapi()


CONTRACT = {"contract_number": "1001", "components": ["energy_supply"]}
USER = {"username": "ada", "email": "ada@example.com", "password": "correct horse battery"}
EXPORT = {
    "smart_meter_id": "1",
    "start_datetime": "2024-01-01T00:00:00Z",
    "end_datetime": "2024-01-02T00:00:00Z",
}
BODIES: dict[str, Any] = {
    "/contract": CONTRACT,
    "/contracts": {"contracts": [CONTRACT]},
    "/contract/{contract_number}": {"components": ["energy_supply"]},
    "/contract/{contract_number}/events/{key}/void": {"reason": "wrong"},
    "/event": event(),
    "/events": {"events": [event()]},
    "/api/export/csv": EXPORT,
    "/api/export/contracts": {"format": "csv"},
    "/api/v1/auth/register": USER,
    "/api/v1/users": USER,
    "/api/v1/auth/refresh": {"refresh_token": "x"},
    "/api/v1/api-keys": {"name": "gateway"},
}


def status_at(path: str) -> int:
    return 400 if path.startswith(("/api/export", "/api/meters")) else 422


def test_an_unknown_parameter_is_refused_on_every_route(api: TestClient) -> None:
    api.headers.update(enter(api, Role.ADMIN))
    for method, path in ACCESS_RULES:
        # FastAPI reads the body first, and a malformed one is answered first.
        body = {"json": BODIES.get(path, {})} if method in ("POST", "PUT", "PATCH") else {}
        answer = api.request(method, path.format(**IDS) + "?zebra=1", **body)
        assert answer.status_code == status_at(path), (method, path, answer.text)
        assert answer.json()["code"] == "validation_error"
        assert [detail["field"] for detail in answer.json()["details"]] == ["zebra"], (method, path)


def test_a_misspelt_dry_run_stores_nothing_and_the_error_names_the_right_word(api: TestClient) -> None:
    create(api)
    for name in ("dryrun", "dry-run", "Dry_Run", "dry_runs", "DRY_RUN", "dry_run "):
        answer = api.post("/event", params={name: "true"}, json=event())
        assert answer.status_code == 422
        assert answer.json()["details"] == [
            {"field": name, "message": "is not a parameter of this; did you mean dry_run?"}
        ]
    assert supply(api)["start"] is None
    assert api.get("/contract/1001/events").json()["items"] == []


def test_a_word_that_is_like_no_parameter_is_answered_with_those_there_are(api: TestClient) -> None:
    assert api.get("/contract?component=x").json()["details"] == [
        {"field": "component", "message": "is not a parameter of this; it takes cursor and limit"}
    ]
    message = api.get("/events?order=desc").json()["details"][0]["message"]
    assert message == "is not a parameter of this; it takes code, component, cursor, day, limit and status"
    assert api.get("/health?q=1").json()["details"] == [
        {"field": "q", "message": "is not a parameter of this; it takes none"}
    ]


def test_every_unknown_parameter_is_named_up_to_twenty(api: TestClient) -> None:
    answer = api.get("/contract?" + "&".join(f"{n}{'y' * 500}=1" for n in range(100)))

    assert answer.status_code == 422
    assert len(answer.json()["details"]) == 20
    assert len(answer.content) < 10_000


def test_a_parameter_given_twice_is_refused_because_one_of_its_values_would_be_ignored(
    api: TestClient,
) -> None:
    create(api)
    for query in ("dry_run=true&dry_run=false", "dry_run=true&dry_run=true", "dry_run=true&dry%5Frun=0"):
        answer = api.post(f"/event?{query}", json=event())
        assert (answer.status_code, answer.json()["details"]) == (
            422,
            [{"field": "dry_run", "message": "must be given once"}],
        )
    assert supply(api)["start"] is None


def test_a_parameter_without_a_name_is_refused(api: TestClient) -> None:
    for query in ("=", "=1", "limit=1&="):
        answer = api.get(f"/contract?{query}")
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, "query"), query
    for query in ("", "&", "&&&", "&limit=1&"):
        assert api.get(f"/contract?{query}").status_code == 200, query


def test_callers_without_access_learn_nothing_of_parameters(closed: None, api: TestClient) -> None:
    assert api.get("/contract?zebra=1").status_code == 401


def test_the_names_that_are_known_are_those_of_the_document() -> None:
    named = {
        (method.upper(), path): sorted(
            p["name"] for p in operation.get("parameters", []) if p["in"] == "query"
        )
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }
    known = {route: list(names) for route, names in APP.state.query_names.items()}
    assert known == named | {route: [] for route in known.keys() - named.keys()}
    assert named["POST", "/event"] == ["dry_run"]


def test_an_unknown_parameter_at_a_login_counts_no_attempt(
    api: TestClient, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    for _ in range(12):
        answer = api.post("/token?zebra=1", data={"username": "ada", "password": "wrong password"})
        assert answer.status_code == 422
    assert api.post("/token", data={"username": "ada", "password": "wrong password"}).status_code == 401
