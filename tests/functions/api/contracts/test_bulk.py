import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fastapi.testclient import TestClient

from infra import aws
from tests.functions.api.calls import END, create, event, supply


def send_all(api: TestClient, *entries: object) -> list[dict[str, Any]]:
    answer = api.post("/events", json={"events": entries})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [result["index"] for result in results] == list(range(len(entries)))
    return list(results)


def codes(results: list[dict[str, Any]]) -> list[str]:
    return [result["code"] for result in results]


END_IN_MAY = event(type=END, date="2024-06-01", created_at="2024-05-01T00:00:00Z")


def test_entries_are_applied_by_created_at_and_answered_in_the_order_given(
    api: TestClient,
) -> None:
    create(api)

    results = send_all(api, END_IN_MAY, event(created_at="2024-04-01T00:00:00Z"), event(date="2023-01-01"))

    assert codes(results) == ["accepted"] * 3
    assert [result["created_at"][:7] for result in results] == ["2024-05", "2024-04", "2023-12"]
    assert supply(api) == {"start": "2024-01-01", "end": "2024-06-01"}


def test_instants_are_compared_and_not_their_text(api: TestClient) -> None:
    create(api)

    results = send_all(
        api,
        event(created_at="2024-01-01T00:00:00.5Z", date="2024-03-03"),
        event(created_at="2024-01-01T09:00:00+10:00", date="2024-01-01"),
        event(created_at="2024-01-01T00:00:00Z", date="2024-02-02"),
    )

    assert codes(results) == ["accepted"] * 3
    assert supply(api)["start"] == "2024-03-03"


@pytest.mark.parametrize("first", ["2024-01-01", "2024-02-02"])
def test_of_two_entries_with_one_created_at_the_one_given_first_counts(api: TestClient, first: str) -> None:
    create(api)
    second = "2024-02-02" if first == "2024-01-01" else "2024-01-01"

    results = send_all(api, event(date=first), event(date=second, created_at="2023-12-01T01:00:00+01:00"))

    assert codes(results) == ["accepted", "stale_start"]
    assert results[1]["blocked_by"]["date"] == first
    assert supply(api)["start"] == first


def test_each_entry_of_each_contract_gets_its_own_verdict(api: TestClient) -> None:
    create(api, "a")
    create(api, "b", "battery_optimization")

    results = send_all(
        api,
        event(contract_number="b"),
        event(contract_number="a"),
        event(contract_number="9999"),
        event(contract_number="b", type="battery_optimization_start"),
        event(contract_number="a"),
        END_IN_MAY | {"contract_number": "b", "type": "battery_optimization_end"},
    )

    assert codes(results) == [
        "component_not_configured",
        "accepted",
        "contract_not_found",
        "accepted",
        "stale_start",
        "accepted",
    ]


MALFORMED: list[tuple[Any, str]] = [
    (None, "event"),
    (1, "event"),
    ("text", "event"),
    (True, "event"),
    ([], "event"),
    ([[1]], "event"),
    ({}, "type"),
    (event(contract_number="a/b"), "contract_number"),
    (event(contract_number=1), "contract_number"),
    (event(type="nothing"), "type"),
    (event(date="2024-02-30"), "date"),
    (event(created_at="2024-01-01"), "created_at"),
    (event(created_at=None), "created_at"),
    (event(surprise=1), "surprise"),
    (event(id=""), "id"),
    ({"event": event()}, "type"),
]


def test_a_malformed_entry_has_its_own_verdict_and_spoils_nobody(api: TestClient) -> None:
    create(api)
    entries = [event(), *(entry for entry, _ in MALFORMED), END_IN_MAY]

    first, *malformed, last = send_all(api, *entries)

    assert codes([first, last]) == ["accepted", "accepted"]
    for result, (entry, field) in zip(malformed, MALFORMED, strict=True):
        assert (result["status"], result["code"]) == ("rejected", "malformed_event"), entry
        assert result["details"][0]["field"] == field, entry
        assert result["message"].startswith(f"{field}: ")
    assert supply(api) == {"start": "2024-01-01", "end": "2024-06-01"}


def test_nothing_is_asked_of_a_list_that_is_empty(api: TestClient) -> None:
    assert send_all(api) == []


@pytest.mark.slow
def test_500_entries_are_taken_and_501_are_422_and_none_of_them_counts(api: TestClient) -> None:
    create(api)
    entries = [event(created_at=f"2023-12-01T00:{n // 60:02}:{n % 60:02}Z") for n in range(501)]

    too_many = api.post("/events", json={"events": entries})
    assert (too_many.status_code, too_many.json()["details"][0]["field"]) == (422, "events")
    assert supply(api)["start"] is None

    assert set(codes(send_all(api, *entries[:500]))) == {"accepted"}


@pytest.mark.parametrize("path", ["/events", "/events/"])
def test_a_body_that_is_no_list_of_events_is_422(api: TestClient, path: str) -> None:
    create(api)
    for body, field in [
        ({}, "events"),
        ({"events": None}, "events"),
        ({"events": "x"}, "events"),
        ({"events": {"0": event()}}, "events"),
        ({"events": [], "more": 1}, "more"),
        ([event()], "body"),
    ]:
        answer = api.post(path, json=body, follow_redirects=False)
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, field)
    assert api.post(path, json={"events": []}, follow_redirects=False).status_code == 200


def test_where_a_busy_contract_spoils_a_part_the_answer_does_not_say_that_nothing_was_stored(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, counted: Callable[[], dict[str, float]]
) -> None:
    def conflict(params: Any, **_: Any) -> None:
        if "1002" in str(params):
            metadata: Any = {"HTTPStatusCode": 400}
            raise ClientError(
                {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": metadata}, "Transact"
            )

    for number in ("1001", "1002"):
        contract = {"contract_number": number, "components": ["energy_supply"]}
        assert api.post("/contract", json=contract).status_code == 201
    monkeypatch.setattr(time, "sleep", lambda _: None)
    aws.dynamodb().meta.events.register_first("before-call.dynamodb.TransactWriteItems", conflict)
    event = {"type": "supply_energy_start", "date": "2024-01-01", "created_at": "2023-12-01T00:00:00Z"}
    events = [event | {"contract_number": number, "id": "mine"} for number in ("1001", "1002")]

    answer = api.post("/events", json={"events": events})
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
    assert counted().get("OutcomeUnknown") is None

    busy = api.post("/events", json={"events": events[1:]})
    assert (busy.status_code, busy.json()["code"]) == (503, "busy")

    aws.dynamodb().meta.events.unregister("before-call.dynamodb.TransactWriteItems", conflict)
    results = api.post("/events", json={"events": events}).json()["results"]
    assert [(one["code"], one.get("repeated")) for one in results] == [("accepted", True), ("accepted", None)]
