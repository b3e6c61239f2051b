"""Corrections over HTTP: events that are voided, replays that leave a row, components that change."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from domain.contracts.trails import Reception, Source
from domain.instants import format_instant, parse_instant
from domain.users import Role
from infra import aws
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.void_event import Target, void_event
from infra.stores import stores
from tests.functions.api.calls import END, START, create, send, supply
from tests.functions.api.people import enter, make_key

TIMELINE = "/contract/1001/contract_timeline"


def rows(api: TestClient, **query: object) -> list[dict[str, Any]]:
    answer = api.get("/contract/1001/events", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def void(api: TestClient, key: str, *, dry_run: bool | None = False, **body: object) -> Any:
    query = {} if dry_run is None else {"dry_run": dry_run}
    return api.post(
        f"/contract/1001/events/{key}/void", params=query, json=body or {"reason": "sent in error"}
    )


def change(api: TestClient, *components: str) -> Any:
    return api.patch("/contract/1001", json={"components": components})


def now() -> str:
    return format_instant(utc_now())


def known(api: TestClient, at: str, **query: str) -> Any:
    answer = api.get(TIMELINE, params={"known_at": at} | query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def ended(api: TestClient) -> str:
    """Start and end contract 1001's supply; return the key of the end."""
    create(api)
    send(api, type=START, created_at="2023-12-01T00:00:00Z", date="2024-01-01")
    send(api, type=END, created_at="2023-12-05T00:00:00Z", date="2024-06-01", id="end")
    return str(rows(api)[-1]["key"])


def test_a_voided_end_no_longer_counts_and_a_restart_is_accepted(api: TestClient, ended: str) -> None:
    shown = void(api, ended, dry_run=None).json()
    assert (shown["changed"], shown["dry_run"], shown["event"]["key"]) == (True, True, ended)
    assert supply(api) == {"start": "2024-01-01", "end": "2024-06-01"}

    stored = void(api, ended).json()

    assert stored == shown | {"dry_run": False}
    assert supply(api) == {"start": "2024-01-01", "end": None}
    assert api.get(TIMELINE).json() == stored["after"]
    assert send(api, type=START, created_at="2023-12-09T00:00:00Z", date="2024-07-01")["status"] == "accepted"


def test_a_void_leaves_a_row_and_the_event_stays_in_the_trail(api: TestClient, ended: str) -> None:
    void(api, ended, reason="wrong customer")
    first, second, row = rows(api)
    assert [first["kind"], second["kind"], row["kind"]] == ["decided", "decided", "voided"]
    assert (second["key"], second["status"]) == (ended, "accepted")
    assert (row["voids"], row["reason"]) == (ended, "wrong customer")
    assert row["before"]["energy_supply"]["end"] == "2024-06-01"
    assert row["after"]["energy_supply"]["end"] is None
    assert row["actor"] == {"kind": "anonymous", "id": None, "name": None}
    assert api.get(f"/contract/1001/events/{row['key']}").json() == row


def test_a_voided_event_sent_again_gets_its_first_answer(api: TestClient, ended: str) -> None:
    void(api, ended)
    again = send(api, type=END, created_at="2023-12-05T00:00:00Z", date="2024-06-01", id="end")
    assert (again["status"], again["repeated"]) == ("accepted", True)
    assert supply(api)["end"] is None


def test_folds_leave_voided_events_out_unless_the_void_was_not_known_yet(api: TestClient, ended: str) -> None:
    before = now()
    void(api, ended)
    replayed = api.post("/contract/1001/replay").json()
    assert (replayed["changed"], replayed["events"]) == (False, 1)
    late = {"as_of": "2024-01-01T00:00:00Z"}
    assert api.get(TIMELINE, params=late).json()["components"]["energy_supply"]["end"] is None
    assert known(api, before, **late)["components"]["energy_supply"]["end"] == "2024-06-01"
    assert known(api, now(), **late)["components"]["energy_supply"]["end"] is None


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_second_void_is_refused_as_a_dry_run_too(api: TestClient, ended: str, dry_run: bool) -> None:
    void(api, ended)
    answer = void(api, ended, dry_run=dry_run)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_voided")
    assert [row["kind"] for row in rows(api)] == ["decided", "decided", "voided"]


def test_a_refused_event_may_be_voided_too(api: TestClient) -> None:
    create(api)
    send(api, type=END, created_at="2023-12-05T00:00:00Z", date="2024-06-01")
    send(api, type=START, created_at="2023-12-01T00:00:00Z", date="2024-01-01")
    answer = void(api, rows(api)[0]["key"]).json()
    assert (answer["changed"], answer["event"]["code"]) == (False, "end_without_start")
    assert api.post("/contract/1001/replay").json()["changed"] is False
    assert [row["kind"] for row in rows(api)] == ["decided", "decided", "voided"]


@pytest.mark.parametrize("key", ["0" * 32, "x" * 2000, "voided-" + "0" * 32, "A%20b", "%00"])
def test_what_is_no_event_is_not_found(api: TestClient, ended: str, key: str) -> None:
    for answer in (api.get(f"/contract/1001/events/{key}"), void(api, key)):
        assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")
    void(api, ended)
    answer = void(api, rows(api)[-1]["key"])
    assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": 1}, {"why": "x"}])
def test_a_void_needs_a_reason(api: TestClient, ended: str, body: dict[str, object]) -> None:
    answer = api.post(f"/contract/1001/events/{ended}/void", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


def test_a_stored_replay_leaves_a_row_and_one_that_changes_nothing_none(api: TestClient) -> None:
    create(api)
    send(api, type=END, created_at="2023-12-05T00:00:00Z", date="2024-06-01")
    send(api, type=START, created_at="2023-12-01T00:00:00Z", date="2024-01-01")
    for _ in range(2):
        api.post("/contract/1001/replay?dry_run=false")
    *_, row = found = rows(api)
    assert [one["kind"] for one in found] == ["decided", "decided", "replayed"]
    assert row["events"] == 2
    assert row["before"]["energy_supply"] == {"start": "2024-01-01", "end": None}
    assert row["after"]["energy_supply"] == {"start": "2024-01-01", "end": "2024-06-01"}


def test_a_component_is_added_and_a_row_says_so(api: TestClient, ended: str) -> None:
    refused = send(api, type="heatpump_optimization_start", created_at="2023-12-02T00:00:00Z")
    assert refused["code"] == "component_not_configured"
    before = now()
    answer = change(api, "heatpump_optimization", "energy_supply")
    assert (answer.status_code, answer.json()) == (200, api.get("/contract/1001").json())
    assert list(api.get(TIMELINE).json()["components"]) == ["heatpump_optimization", "energy_supply"]
    assert supply(api) == {"start": "2024-01-01", "end": "2024-06-01"}
    row = rows(api)[-1]
    assert (row["kind"], row["before"]) == ("changed", ["energy_supply"])
    assert row["after"] == ["heatpump_optimization", "energy_supply"]
    assert list(known(api, before)["components"]) == ["energy_supply"]
    assert known(api, now()) == api.get(TIMELINE).json()

    # Folds judge by today's components.
    api.post("/contract/1001/replay?dry_run=false")
    timeline = api.get(TIMELINE).json()["components"]
    assert timeline["heatpump_optimization"]["start"] == "2024-01-01"


def test_a_change_that_changes_nothing_leaves_no_row(api: TestClient, ended: str) -> None:
    assert change(api, "energy_supply").status_code == 200
    assert [row["kind"] for row in rows(api)] == ["decided", "decided"]


def test_a_component_in_use_cannot_go_until_its_events_are_voided(api: TestClient, ended: str) -> None:
    answer = change(api, "battery_optimization")
    assert (answer.status_code, answer.json()["code"]) == (409, "component_in_use")
    for row in rows(api):
        void(api, row["key"])
    assert change(api, "battery_optimization").json()["components"] == ["battery_optimization"]


@pytest.mark.parametrize("components", [[], ["energy_supply"] * 2, ["gas"], "energy_supply", None])
def test_an_unusable_list_of_components_is_malformed(api: TestClient, ended: str, components: object) -> None:
    assert api.patch("/contract/1001", json={"components": components}).status_code == 422
    assert api.patch("/contract/9999", json={"components": ["energy_supply"]}).status_code == 404


def test_known_at_gives_back_every_timeline_that_was_answered(api: TestClient) -> None:
    early = now()
    noted: list[tuple[str, Any]] = []

    def note() -> None:
        timeline = api.get(TIMELINE).json()
        noted.append((now(), timeline))

    create(api)
    note()
    send(api, type=END, created_at="2023-12-05T00:00:00Z", date="2024-06-01")
    note()
    send(api, type=START, created_at="2023-12-01T00:00:00Z", date="2024-01-01")
    note()
    api.post("/contract/1001/replay?dry_run=false")
    note()
    change(api, "battery_optimization", "energy_supply")
    note()
    void(api, rows(api)[0]["key"])
    note()
    send(api, type=START, created_at="2023-12-03T00:00:00Z", date="2024-02-01")
    note()
    assert len({str(timeline) for _, timeline in noted}) >= 5
    assert [known(api, at) for at, _ in noted] == [timeline for _, timeline in noted]
    assert known(api, early) == {"contract_number": "1001", "components": {}}
    assert known(api, "2000-01-01T00:00:00Z")["components"] == {}


def test_a_contract_that_says_it_is_old_was_not_known_before_it_was_stored(api: TestClient) -> None:
    body = {"contract_number": "1001", "components": ["energy_supply"], "created_at": "2020-01-01T00:00:00Z"}
    assert api.post("/contract", json=body).status_code == 201
    assert known(api, "2021-01-01T00:00:00Z")["components"] == {}


def test_nothing_of_a_former_contract_is_known_of_the_present_one(api: TestClient, ended: str) -> None:
    former = now()
    api.delete("/contract/1001")
    create(api)
    assert known(api, former)["components"] == {}


def test_admins_read_what_was_decided_for_former_contracts_and_without_one(
    api: TestClient, ended: str
) -> None:
    api.delete("/contract/1001")
    refused = send(api, created_at="2023-12-09T00:00:00Z")
    assert refused["code"] == "contract_not_found"
    assert api.get("/contract/1001/events").status_code == 404
    assert [row["code"] for row in rows(api, generation=0)] == ["contract_not_found"]
    assert [row["code"] for row in rows(api, generation=1)] == ["accepted", "accepted"]
    assert rows(api, generation=2) == rows(api, generation=10**9) == []
    create(api)
    assert rows(api) == rows(api, generation=2) == []
    path = f"/contract/1001/events/{ended}"
    assert api.get(path).status_code == 404
    assert api.get(path, params={"generation": 1}).json()["key"] == ended
    assert api.get("/contract/1001/events?generation=-1").status_code == 422
    page = api.get("/contract/1001/events?generation=1&limit=1").json()
    assert [row["key"] for row in rows(api, generation=1, cursor=page["next_cursor"])] == [ended]


def test_others_than_admins_do_not_read_former_contracts(closed: None, api: TestClient) -> None:
    for role, status in ((Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.ADMIN, 200)):
        shown = enter(api, role)
        keyed = {"X-API-Key": make_key(api, shown, role)["key"]}
        for headers in (shown, keyed):
            answer = api.get("/contract/1001/events?generation=1", headers=headers)
            assert answer.status_code == status
    viewer = enter(api, Role.VIEWER, "other")
    key = "0" * 32
    assert api.get(f"/contract/1001/events/{key}?generation=1", headers=viewer).status_code == 403


def test_with_a_filter_decided_events_alone_are_listed(api: TestClient, ended: str) -> None:
    void(api, ended)
    change(api, "energy_supply", "battery_optimization")
    assert [row["kind"] for row in rows(api)] == ["decided", "decided", "voided", "changed"]
    for wanted in ({"status": "accepted"}, {"component": "energy_supply"}, {"code": "accepted"}):
        assert [row["kind"] for row in rows(api, **wanted)] == ["decided", "decided"]


def test_a_correction_names_the_key_that_asked_for_it(closed: None, api: TestClient) -> None:
    shown = enter(api, Role.ADMIN)
    key = make_key(api, shown, Role.OPERATOR, "crm")
    body = {"contract_number": "1001", "components": ["energy_supply"]}
    assert api.post("/contract", json=body, headers=shown).status_code == 201
    body = {"components": ["battery_optimization"]}
    answer = api.patch("/contract/1001", json=body, headers={"X-API-Key": key["key"]})
    assert answer.status_code == 200
    (row,) = api.get("/contract/1001/events", headers=shown).json()["items"]
    assert row["actor"] == {"kind": "api_key", "id": key["id"], "name": "crm"}
    assert row["request_id"] == answer.headers["X-Request-ID"]


def test_without_a_trail_components_change_and_the_rest_is_refused(unaudited: None, api: TestClient) -> None:
    create(api)
    assert change(api, "battery_optimization").json()["components"] == ["battery_optimization"]
    answers = [
        void(api, "0" * 32),
        api.get(f"/contract/1001/events/{'0' * 32}"),
        api.get(TIMELINE, params={"known_at": now()}),
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(409, "audit_disabled")] * 3


def test_known_at_is_refused_where_something_was_stored_without_a_row(
    api: TestClient, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores().timelines, "audited", False)
    send(api, type=START, created_at="2023-12-02T00:00:00Z", date="2024-02-01")
    answer = api.get(TIMELINE, params={"known_at": now()})
    assert (answer.status_code, answer.json()["code"]) == (409, "trail_incomplete")


def test_an_event_that_was_on_its_way_during_a_correction_is_recorded_after_it(
    api: TestClient, ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the row would say that the event was there before, and `known_at` would lose it."""
    accept = TimelineStore._accept
    reception = Reception(utc_now(), Source.API, "request")
    corrections = [Correcting(reception, utc_now, lambda: uuid4().hex)]

    def slow(store: TimelineStore, attempt: Any, generation: int) -> Any:
        if corrections:
            by, target = corrections.pop(), Target(ended, "in between")
            void_event(stores().contracts, stores().trails, "1001", target, by, dry_run=False)
        return accept(store, attempt, generation)

    monkeypatch.setattr(TimelineStore, "_accept", slow)
    assert send(api, type=START, created_at="2023-12-03T00:00:00Z", date="2024-02-01")["status"] == "accepted"
    assert known(api, now()) == api.get(TIMELINE).json()
    *_, voided, event = sorted(rows(api), key=lambda row: parse_instant(row["recorded_at"]))
    assert (voided["kind"], event["date"]) == ("voided", "2024-02-01")


def test_a_contract_and_rows_of_the_former_layout_are_known_too(api: TestClient, ended: str) -> None:
    for item in aws.dynamodb().scan(TableName="contracts")["Items"]:
        kept = {
            name: value for name, value in item.items() if name not in {"recorded_at", "stored_at", "version"}
        }
        aws.dynamodb().put_item(TableName="contracts", Item=kept)
    assert known(api, now()) == api.get(TIMELINE).json()
    assert void(api, ended).status_code == 200
    assert known(api, now()) == api.get(TIMELINE).json()
