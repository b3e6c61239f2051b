"""Many contracts in one request: each has a verdict, and all may be sent again."""

import json
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from fastapi.testclient import TestClient

from infra import aws

SUPPLY, HEATPUMP = "energy_supply", "heatpump_optimization"


def contract(number: Any, *components: str, **more: Any) -> dict[str, Any]:
    return {"contract_number": number, "components": list(components or [SUPPLY]), **more}


def post(api: TestClient, *contracts: Any) -> list[Any]:
    body = json.dumps({"contracts": list(contracts)})  # ASCII: half of a surrogate pair is escaped
    answer = api.post("/contracts", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    results: list[Any] = answer.json()["results"]
    assert [result["index"] for result in results] == list(range(len(contracts)))
    return results


def codes(results: list[Any]) -> list[tuple[str, str]]:
    return [(result["status"], result["code"]) for result in results]


def test_contracts_are_created_and_sent_again_are_unchanged(api: TestClient) -> None:
    sent = [contract(f"n{number}", SUPPLY, HEATPUMP) for number in range(30)]
    sent.append(contract("dated", created_at="2023-01-01T00:00:00Z"))
    assert codes(post(api, *sent)) == [("created", "created")] * 31
    assert codes(post(api, *sent)) == [("unchanged", "unchanged")] * 31
    assert api.get("/contract/dated").json()["created_at"] == "2023-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "other",
    [
        contract("1", HEATPUMP, SUPPLY),
        contract("1", SUPPLY),
        contract("1", SUPPLY, HEATPUMP, created_at="2023-01-01T00:00:00.000001Z"),
    ],
)
def test_a_contract_that_is_there_otherwise_is_rejected(api: TestClient, other: dict[str, Any]) -> None:
    post(api, contract("1", SUPPLY, HEATPUMP, created_at="2023-01-01T00:00:00Z"))
    (result,) = post(api, other)
    assert (result["status"], result["code"]) == ("rejected", "contract_exists")
    assert api.get("/contract/1").json()["components"] == [SUPPLY, HEATPUMP]


def test_an_entry_that_is_no_contract_spoils_no_other(api: TestClient) -> None:
    results = post(
        api,
        contract("1"),
        7,
        contract("no spaces"),
        {"contract_number": "2", "components": []},
        contract("3", colour="green"),
        contract("4", created_at=5),
        contract("\ud800"),
        contract("5"),
    )
    assert [result["status"] for result in results] == ["created", *["rejected"] * 6, "created"]
    assert {result["code"] for result in results[1:-1]} == {"malformed_contract"}
    assert results[4]["details"] == [{"field": "colour", "message": "is not a field of this"}]
    assert [item["contract_number"] for item in api.get("/contract").json()["items"]] == ["1", "5"]


def test_a_number_twice_is_applied_in_the_order_given(api: TestClient) -> None:
    results = post(api, contract("1", SUPPLY), contract("1", HEATPUMP), contract("1", SUPPLY))
    assert codes(results) == [
        ("created", "created"),
        ("rejected", "contract_exists"),
        ("unchanged", "unchanged"),
    ]
    assert api.get("/contract/1").json()["components"] == [SUPPLY]


def test_more_than_500_and_unknown_fields_are_422_and_nothing_is_stored(api: TestClient) -> None:
    many = [contract(str(number)) for number in range(501)]
    assert api.post("/contracts", json={"contracts": many}).status_code == 422
    assert api.post("/contracts", json={"contracts": [], "x": 1}).status_code == 422
    assert api.get("/contract").json()["items"] == []


def test_where_an_answer_was_lost_all_may_be_sent_again(api: TestClient) -> None:
    lost = ReadTimeoutError(endpoint_url="https://dynamodb")
    seen: list[str] = []

    def lose(params: dict[str, Any], **_: Any) -> None:
        if b"CONTRACT#7" in params["body"] and b"attribute_not_exists" in params["body"]:
            seen.append("7")
            raise lost

    aws.dynamodb().meta.events.register_first("before-call.dynamodb.PutItem", lose)
    sent = [contract(str(number)) for number in range(10)]
    answer = api.post("/contracts", json={"contracts": sent})
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
    aws.dynamodb().meta.events.unregister("before-call.dynamodb.PutItem", lose)
    assert seen
    assert {result["status"] for result in post(api, *sent)} == {"created", "unchanged"}
    assert len(api.get("/contract").json()["items"]) == 10
