import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from infra import aws
from tests.functions.api.calls import END, create, event, send
from tests.functions.api.conftest import Calls

OPERATIONS = {
    "create": ("POST", "/contract", {"contract_number": "new", "components": ["energy_supply"]}, "PutItem"),
    "create, number taken": (
        *("POST", "/contract", {"contract_number": "1001", "components": ["energy_supply"]}),
        "PutItem",
    ),
    "get": ("GET", "/contract/1001", None, "GetItem"),
    "timeline": ("GET", "/contract/1001/contract_timeline", None, "GetItem"),
    "list": ("GET", "/contract", None, "Query"),
    "event accepted": ("POST", "/event", event(created_at="2024-01-01T00:00:00Z"), "UpdateItem"),
    "event refused": ("POST", "/event", event(type=END, created_at="2023-01-01T00:00:00Z"), "UpdateItem"),
    "event of no contract": ("POST", "/event", event(contract_number="9999"), "UpdateItem"),
    "dry run": ("POST", "/event?dry_run=true", event(), "GetItem"),
    "delete": ("DELETE", "/contract/1001", None, "UpdateItem"),
    "delete what is not there": ("DELETE", "/contract/9999", None, "UpdateItem"),
}


def test_an_operation_calls_dynamodb_once(unaudited: None, api: TestClient, calls: Calls) -> None:
    create(api)
    send(api)
    for name, (method, path, body, call) in OPERATIONS.items():
        calls.clear()
        assert api.request(method, path, json=body).status_code < 500
        assert calls == [call], name


def test_a_request_that_is_refused_before_the_rules_does_not_call_dynamodb(
    api: TestClient, calls: Calls
) -> None:
    for method, path, body in [
        ("POST", "/event", event(date="x")),
        ("POST", "/events", {"events": [{}, None]}),
        ("POST", "/contract", {}),
        ("GET", "/contract?cursor=x", None),
        ("GET", "/contract/a%20b", None),
        ("GET", "/", None),
        ("GET", "/health", None),
    ]:
        assert api.request(method, path, json=body).status_code in {200, 400, 422}

    assert calls == []


def test_a_batch_calls_dynamodb_once_for_each_event(unaudited: None, api: TestClient, calls: Calls) -> None:
    for number in "abc":
        create(api, number)
    calls.clear()

    entries = [
        event(contract_number=number, created_at=f"2024-01-0{day}T00:00:00Z")
        for number in "abc"
        for day in (1, 2)
    ]
    api.post("/events", json={"events": entries})

    assert calls == ["UpdateItem"] * 6


def item_of(number: str) -> dict[str, Any]:
    key = {"pk": {"S": f"CONTRACT#{number}"}, "sk": {"S": "CONTRACT"}}
    return dict(aws.dynamodb().get_item(TableName="contracts", Key=key)["Item"])


@pytest.mark.slow
def test_the_two_hundredth_event_costs_as_much_as_the_first(
    unaudited: None, api: TestClient, calls: Calls
) -> None:
    create(api)
    sizes = []
    for number in range(1, 201):
        calls.clear()
        at = f"2024-01-01T00:{number // 60:02}:{number % 60:02}Z"
        assert send(api, type=END if number % 2 == 0 and number < 3 else "supply_energy_start", created_at=at)
        assert calls == ["UpdateItem"]
        sizes.append(len(json.dumps(item_of("1001"))))

    assert sizes[199] == sizes[1]


def test_using_a_deleted_contract_number_again_costs_one_more_call(api: TestClient, calls: Calls) -> None:
    create(api)
    api.delete("/contract/1001")
    calls.clear()

    create(api)

    assert calls == ["PutItem", "PutItem"]


def test_with_the_trail_an_accepted_event_is_one_transaction_and_a_refusal_one_write_more(
    api: TestClient, calls: Calls
) -> None:
    create(api)
    for expected in (["TransactWriteItems"], ["TransactWriteItems", "PutItem"]):
        calls.clear()
        send(api)
        assert calls == expected
