"""The header Idempotency-Key of an event, which its route reads itself, is taken and described as that of a contract."""

import pytest
from fastapi.testclient import TestClient

from tests.conftest import application
from tests.functions.api.calls import create


@pytest.mark.parametrize("key", ["", "k" * 129])
def test_a_header_of_another_length_is_refused_for_an_event_as_for_a_contract(
    api: TestClient, key: str
) -> None:
    create(api)
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01"}
    event |= {"created_at": "2023-12-01T00:00:00Z"}
    contract = {"contract_number": "1002", "components": ["energy_supply"]}
    answers = [
        api.post(path, json=body, headers={"Idempotency-Key": key})
        for path, body in (("/event", event), ("/contract", contract))
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    first, second = (answer.json()["details"] for answer in answers)
    assert first == second
    assert first[0]["field"] == "Idempotency-Key"
    assert api.get("/contract/1001/events").json()["items"] == []
    assert api.post("/event", json=event, headers={"Idempotency-Key": "k" * 128}).status_code == 200


def test_the_header_is_described_for_an_event_as_for_a_contract() -> None:
    described = [
        [one for one in application().openapi()["paths"][path]["post"]["parameters"] if one["in"] == "header"]
        for path in ("/event", "/contract")
    ]
    assert described[0] == described[1] != []
