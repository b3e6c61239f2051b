"""The trail over HTTP: what was decided, what the timeline was, and what all of it says."""

import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.contracts.events import ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from domain.instants import parse_instant
from infra import aws
from infra.contracts import trail_store as trails
from infra.contracts.contract_store import ContractStore
from infra.settings import settings
from infra.stores import stores
from tests.functions.api.conftest import Calls


def create(api: TestClient, number: str = "1001") -> None:
    components = ["heatpump_optimization", "energy_supply"]
    assert (
        api.post("/contract", json={"contract_number": number, "components": components}).status_code == 201
    )


def send(api: TestClient, kind: str = "supply_energy_start", at: int = 1, **changes: Any) -> dict[str, Any]:
    event = {
        "type": kind,
        "contract_number": "1001",
        "date": "2024-01-01",
        "created_at": f"2023-12-{at:02}T00:00:00Z",
    }
    answer = api.post("/event", json=event | changes)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def trail(api: TestClient, **query: Any) -> list[dict[str, Any]]:
    answer = api.get("/contract/1001/events", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def test_every_decided_event_stands_in_the_trail_with_its_verdict(api: TestClient) -> None:
    create(api)
    send(api, at=2, id="first")
    refused = send(api, at=1)
    first, second = trail(api)
    assert first["id"] == "first"
    assert (first["status"], first["code"], first["source"]) == ("accepted", "accepted", "api")
    assert (second["code"], second["message"]) == ("stale_start", refused["message"])
    assert second["blocked_by"] == refused["blocked_by"]
    assert parse_instant(second["received_at"]) > parse_instant(first["received_at"])


def test_the_trail_names_the_request_that_brought_an_event(api: TestClient) -> None:
    create(api)
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01"}
    answer = api.post("/event", json=event | {"created_at": "2023-12-01T00:00:00Z"})
    assert [entry["request_id"] for entry in trail(api)] == [answer.headers["X-Request-ID"]]


def test_the_trail_goes_page_by_page_in_the_order_of_arrival(api: TestClient) -> None:
    create(api)
    for at in (3, 1, 5, 2, 4):
        send(api, at=at)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = api.get(
            "/contract/1001/events", params={"limit": 2} | ({"cursor": cursor} if cursor else {})
        ).json()
        seen += [entry["created_at"] for entry in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"2023-12-0{at}T00:00:00Z" for at in (3, 1, 5, 2, 4)]
    assert cursor is None


def test_a_filter_finds_rows_behind_many_others(api: TestClient) -> None:
    create(api)
    for at in range(1, 10):
        send(api, at=at)
    send(api, "heatpump_optimization_start", at=20)
    page = api.get("/contract/1001/events", params={"limit": 3, "component": "heatpump_optimization"}).json()
    assert [entry["type"] for entry in page["items"]] == ["heatpump_optimization_start"]
    assert page["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ({"status": "rejected"}, ["stale_start", "end_without_start"]),
        ({"code": "stale_start"}, ["stale_start"]),
        ({"status": "rejected", "component": "heatpump_optimization"}, ["end_without_start"]),
    ],
)
def test_the_trail_is_filtered(api: TestClient, query: dict[str, str], codes: list[str]) -> None:
    create(api)
    send(api, at=2)
    send(api, at=2)
    send(api, "heatpump_optimization_end", at=1)
    assert [entry["code"] for entry in trail(api, **query)] == codes


def test_the_cursor_of_one_contract_is_refused_for_another(api: TestClient) -> None:
    create(api)
    create(api, "1002")
    for at in (1, 2):
        send(api, at=at)
    cursor = api.get("/contract/1001/events?limit=1").json()["next_cursor"]
    answer = api.get("/contract/1002/events", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def test_as_of_answers_what_the_timeline_was(api: TestClient) -> None:
    create(api)
    send(api, at=1, date="2024-01-01")
    send(api, at=3, date="2024-03-01")

    def start(as_of: str) -> Any:
        answer = api.get("/contract/1001/contract_timeline", params={"as_of": as_of})
        return answer.json()["components"]["energy_supply"]["start"]

    assert start("2023-11-30T23:59:59.999999Z") is None
    assert start("2023-12-01T00:00:00Z") == "2024-01-01"
    assert start("2023-12-02T23:59:59.999999Z") == "2024-01-01"
    assert start("2023-12-03T01:00:00+01:00") == "2024-03-01"


def test_as_of_folds_refused_events_too(api: TestClient) -> None:
    create(api)
    send(api, "supply_energy_end", at=2, date="2024-06-01")
    send(api, at=1)
    timeline = api.get("/1001/contract_timeline", params={"as_of": "2023-12-02T00:00:00Z"}).json()
    assert timeline["components"]["energy_supply"] == {"start": "2024-01-01", "end": "2024-06-01"}


def test_a_replay_shows_the_difference_and_stores_it_when_asked(api: TestClient) -> None:
    create(api)
    send(api, "supply_energy_end", at=2, date="2024-06-01")
    send(api, at=1)
    shown = api.post("/contract/1001/replay").json()
    assert (shown["changed"], shown["events"], shown["dry_run"]) == (True, 2, True)
    assert api.get("/1001/contract_timeline").json() == shown["before"]
    stored = api.post("/contract/1001/replay?dry_run=false").json()
    assert stored["after"] == shown["after"]
    assert api.get("/1001/contract_timeline").json() == shown["after"]
    assert shown["after"]["components"]["energy_supply"] == {"start": "2024-01-01", "end": "2024-06-01"}
    again = api.post("/contract/1001/replay?dry_run=false").json()
    assert (again["changed"], again["before"]) == (False, shown["after"])


def test_a_replay_does_not_overwrite_an_event_that_comes_in_between(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(api)
    send(api, "supply_energy_end", at=2, date="2024-06-01")
    send(api, at=1)
    correct = ContractStore.correct
    kind = EventType.HEATPUMP_OPTIMIZATION_START
    late = [ComponentEvent(kind, "1001", date(2024, 5, 1), datetime(2023, 12, 9, tzinfo=UTC), "late")]

    def slow(store: ContractStore, *states: Any) -> bool:
        if late:
            reception = Reception(datetime.now(UTC), Source.BUS, "request")
            assert stores().timelines.apply(late.pop(), reception).verdict.accepted
        return correct(store, *states)

    monkeypatch.setattr(ContractStore, "correct", slow)
    replayed = api.post("/contract/1001/replay?dry_run=false").json()
    assert replayed["events"] == 3
    timeline = api.get("/1001/contract_timeline").json()["components"]
    assert timeline == {
        "heatpump_optimization": {"start": "2024-05-01", "end": None},
        "energy_supply": {"start": "2024-01-01", "end": "2024-06-01"},
    }


def test_a_contract_created_again_starts_with_no_history(api: TestClient) -> None:
    create(api)
    send(api, at=5, id="mine")
    assert api.delete("/contract/1001").status_code == 200
    assert api.get("/contract/1001/events").status_code == 404
    create(api)
    assert trail(api) == []
    assert api.get("/1001/contract_timeline?as_of=2024-01-01T00:00:00Z").json()["components"][
        "energy_supply"
    ] == {
        "start": None,
        "end": None,
    }
    again = send(api, at=5, id="mine")
    assert (again["status"], "repeated" in again) == ("accepted", False)


def test_the_same_event_under_the_same_id_gets_the_first_answer(api: TestClient) -> None:
    create(api)
    first = send(api, at=1, id="mine")
    send(api, at=2)
    again = send(api, at=1, id="mine")
    assert again == first | {"repeated": True}
    assert len(trail(api)) == 2


def test_a_refusal_is_repeated_too(api: TestClient) -> None:
    create(api)
    refused = send(api, "supply_energy_end", at=2, id="mine")
    send(api, at=1)
    assert send(api, "supply_energy_end", at=2, id="mine") == refused | {"repeated": True}


@pytest.mark.parametrize(
    "change", [{"date": "2024-01-02"}, {"created_at": "2023-12-09T00:00:00Z"}, {"type": "supply_energy_end"}]
)
def test_an_id_used_for_another_event_is_refused(api: TestClient, change: dict[str, str]) -> None:
    create(api)
    send(api, at=1, id="mine")
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01"}
    answer = api.post("/event", json=event | {"created_at": "2023-12-01T00:00:00Z", "id": "mine"} | change)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_the_header_does_the_same_as_the_id(api: TestClient) -> None:
    create(api)
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01"}
    event |= {"created_at": "2023-12-01T00:00:00Z"}
    first, again = (
        api.post("/event", json=event, headers={"Idempotency-Key": "mine"}).json() for _ in range(2)
    )
    assert again == first | {"repeated": True}


def test_without_an_id_a_duplicate_is_stale(api: TestClient) -> None:
    create(api)
    send(api, at=1)
    assert send(api, at=1)["code"] == "stale_start"


def test_in_bulk_a_reused_id_is_refused_alone(api: TestClient) -> None:
    create(api)
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01", "id": "mine"}
    event |= {"created_at": "2023-12-01T00:00:00Z"}
    results = api.post("/events", json={"events": [event, event | {"date": "2024-02-01"}, event]}).json()[
        "results"
    ]
    assert [result["code"] for result in results] == ["accepted", "idempotency_key_reused", "accepted"]


def test_without_a_trail_what_follows_from_it_is_refused(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENABLE_EVENT_AUDIT", "false")
    settings.cache_clear()
    stores.cache_clear()
    create(api)
    assert send(api, at=1)["status"] == "accepted"
    answers = [
        api.post("/contract/1001/replay"),
        api.get("/contract/1001/events"),
        api.get("/1001/contract_timeline?as_of=2024-01-01T00:00:00Z"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "audit_disabled")
    ] * 3
    assert api.get("/1001/contract_timeline").status_code == 200


@pytest.mark.parametrize(
    "path", ["/contract/9999/events", "/9999/contract_timeline?as_of=2024-01-01T00:00:00Z"]
)
def test_a_contract_that_does_not_exist_has_no_trail(api: TestClient, path: str) -> None:
    assert api.get(path).status_code == 404
    assert api.post("/contract/9999/replay").status_code == 404


def test_the_same_id_twice_in_one_bulk_is_a_repetition(api: TestClient) -> None:
    create(api)
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01", "id": "mine"}
    event |= {"created_at": "2023-12-01T00:00:00Z"}
    results = api.post("/events", json={"events": [event, event]}).json()["results"]
    assert [result.get("repeated") for result in results] == [None, True]


def test_events_of_one_bulk_and_one_instant_are_folded_in_the_order_they_were_given(api: TestClient) -> None:
    create(api)
    event = {"type": "supply_energy_start", "contract_number": "1001", "created_at": "2023-12-01T00:00:00Z"}
    api.post("/events", json={"events": [event | {"date": f"2024-01-{on:02}"} for on in range(1, 11)]})
    replayed = api.post("/contract/1001/replay").json()
    assert (replayed["changed"], replayed["events"]) == (False, 10)


def test_a_trail_that_lacks_an_event_that_counts_is_not_folded(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(api)
    with monkeypatch.context() as patch:
        patch.setattr(stores().timelines, "audited", False)
        send(api, at=1)
    send(api, at=2, type="heatpump_optimization_start")
    answers = [
        api.post("/contract/1001/replay?dry_run=false"),
        api.get("/1001/contract_timeline?as_of=2024-01-01T00:00:00Z"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "trail_incomplete")
    ] * 2
    assert api.get("/1001/contract_timeline?as_of=2023-11-30T00:00:00Z").status_code == 200
    assert api.get("/1001/contract_timeline").json()["components"]["energy_supply"]["start"] == "2024-01-01"


def test_a_header_that_differs_from_the_id_is_refused(api: TestClient) -> None:
    create(api)
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01", "id": "mine"}
    event |= {"created_at": "2023-12-01T00:00:00Z"}
    answer = api.post("/event", json=event, headers={"Idempotency-Key": "other"})
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, "Idempotency-Key")
    assert trail(api) == []


def test_a_filter_reads_many_rows_at_once(api: TestClient, calls: Calls) -> None:
    create(api)
    for at in range(1, 12):
        send(api, at=at)
    calls.clear()
    assert trail(api, status="rejected", limit=1) == []
    assert calls == ["GetItem", "Query"]


def test_a_deleted_contract_does_not_know_the_ids_it_had(api: TestClient) -> None:
    create(api)
    send(api, at=1, id="mine")
    api.delete("/contract/1001")
    answers = [send(api, at=1, id="mine") for _ in range(2)]
    assert [answer["code"] for answer in answers] == ["contract_not_found"] * 2
    assert [answer.get("repeated") for answer in answers] == [None, True]


def test_a_trail_of_too_many_rows_is_not_folded_and_is_listed_all_the_same(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(api)
    for at in (1, 2, 3):
        send(api, at=at)
    monkeypatch.setattr(trails, "MOST_ROWS", 3)
    assert api.post("/contract/1001/replay").json()["events"] == 3
    monkeypatch.setattr(trails, "MOST_ROWS", 2)
    answers = [
        api.post("/contract/1001/replay"),
        api.get("/1001/contract_timeline?as_of=2023-12-01T00:00:00Z"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "trail_too_long")
    ] * 2
    assert len(trail(api)) == 3


def test_each_row_has_a_kind_a_key_and_an_actor(api: TestClient) -> None:
    create(api)
    send(api, at=1)
    send(api, at=2)
    first, second = trail(api)
    assert (first["kind"], first["actor"]) == ("decided", {"kind": "anonymous", "id": None, "name": None})
    assert first["key"]
    assert first["key"] != second["key"]


def test_a_row_of_the_former_layout_is_read_as_a_decided_event_of_nobody_known(api: TestClient) -> None:
    create(api)
    send(api, at=1, id="mine")
    rows = aws.dynamodb().scan(TableName="contracts")["Items"]
    (row,) = [dict(row) for row in rows if row["pk"]["S"].startswith("TRAIL#")]
    for name in ("row_kind", "actor"):
        del row[name]
    position = f"{row['created_at']['N']}#{row['received_at']['N']}#{row['key']['S']}"
    aws.dynamodb().put_item(TableName="contracts", Item=row | {"position": {"S": position}})
    (entry,) = trail(api)
    assert (entry["kind"], entry["actor"], entry["id"]) == ("decided", None, "mine")
    assert send(api, at=1, id="mine")["repeated"]
    assert api.post("/contract/1001/replay").json()["events"] == 1


def test_a_row_of_a_number_without_a_contract_expires_and_others_do_not(api: TestClient) -> None:
    before = int(time.time())
    send(api, contract_number="9999")
    create(api)
    send(api)
    rows = aws.dynamodb().scan(TableName="contracts")["Items"]
    expiries = {row["pk"]["S"]: row.get("expires_at") for row in rows}
    expires_at = expiries.pop("TRAIL#9999#0")
    assert expires_at is not None
    assert before <= int(expires_at["N"]) - 30 * 24 * 3600 <= time.time()
    assert set(expiries.values()) == {None}
    assert set(expiries) == {"CONTRACT#1001", "TRAIL#1001#1"}
