from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from infra import aws
from infra.cursors import Cursors
from tests.functions.api.calls import END, create, send, supply

BODY = {
    "contract_number": "1001",
    "components": ["heatpump_optimization", "energy_supply", "battery_optimization"],
    "created_at": "2024-02-29T12:00:00.5+01:00",
}
VIEW = BODY | {"created_at": "2024-02-29T11:00:00.500000Z"}


@pytest.mark.parametrize("path", ["/contract", "/contract/"])
def test_a_contract_is_created_and_shown_with_its_components_in_the_order_given(
    api: TestClient, path: str
) -> None:
    created = api.post(path, json=BODY, follow_redirects=False)

    assert (created.status_code, created.json()) == (201, VIEW)
    for address in ("/contract/1001", "/contract/1001/"):
        shown = api.get(address, follow_redirects=False)
        assert (shown.status_code, shown.json()) == (200, VIEW)
    assert api.get(path, follow_redirects=False).json() == {"items": [VIEW], "next_cursor": None}
    timeline = api.get("/contract/1001/contract_timeline").json()
    assert list(timeline["components"]) == BODY["components"]


@pytest.mark.parametrize("given", [{}, {"created_at": None}])
def test_a_contract_without_created_at_is_created_now(api: TestClient, given: dict[str, Any]) -> None:
    before = datetime.now(UTC)
    created = api.post("/contract", json={"contract_number": "1", "components": ["energy_supply"]} | given)

    assert before <= datetime.fromisoformat(created.json()["created_at"]) <= datetime.now(UTC)
    assert api.get("/contract/1").json() == created.json()


def test_a_taken_number_is_409_and_the_contract_stays_as_it_was(api: TestClient) -> None:
    api.post("/contract", json=BODY)

    again = api.post("/contract", json=BODY | {"components": ["energy_supply"]})

    assert (again.status_code, again.json()["code"]) == (409, "contract_exists")
    assert again.json()["message"] == "Contract 1001 already exists."
    assert api.get("/contract/1001").json() == VIEW


MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"components": []}, "components"),
    ({"components": ["energy_supply", "energy_supply"]}, "components"),
    ({"components": ["solar"]}, "components.0"),
    ({"components": ["energy_supply", 1]}, "components.1"),
    ({"components": "energy_supply"}, "components"),
    ({"components": {"energy_supply": True}}, "components"),
    ({"components": None}, "components"),
    ({"components": ["Energy_Supply"]}, "components.0"),
    ({"contract_number": ""}, "contract_number"),
    ({"contract_number": "a" * 65}, "contract_number"),
    ({"contract_number": "a b"}, "contract_number"),
    ({"contract_number": "a/b"}, "contract_number"),
    ({"contract_number": "1001\n"}, "contract_number"),
    ({"contract_number": "\u0661\u0660\u0660\u0661"}, "contract_number"),
    ({"contract_number": "é"}, "contract_number"),
    ({"contract_number": 1001}, "contract_number"),
    ({"contract_number": None}, "contract_number"),
    ({"created_at": "2024-02-30T00:00:00Z"}, "created_at"),
    ({"created_at": 1700000000}, "created_at"),
    ({"id": "mine"}, "id"),
]


def test_a_malformed_contract_is_422_with_the_field_named_and_nothing_is_stored(api: TestClient) -> None:
    for wrong, field in MALFORMED:
        answer = api.post("/contract", json=BODY | wrong)

        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), wrong
        assert [detail["field"] for detail in answer.json()["details"]] == [field]
    assert api.get("/contract").json()["items"] == []


@pytest.mark.parametrize("missing", ["contract_number", "components"])
def test_a_missing_field_is_422_and_named(api: TestClient, missing: str) -> None:
    answer = api.post("/contract", json={name: value for name, value in BODY.items() if name != missing})

    assert answer.status_code == 422
    assert answer.json()["details"] == [{"field": missing, "message": "Field required"}]


def test_every_legal_number_names_a_contract_at_every_address(api: TestClient) -> None:
    for number in ["a", "Z" * 64, "-", "_", "..x", "0", "A.b_c-9", "contract_timeline", "events"]:
        create(api, number)

        for address in ("/contract/{}", "/contract/{}/contract_timeline", "/{}/contract_timeline"):
            assert api.get(address.format(number)).json()["contract_number"] == number
        assert send(api, contract_number=number)["status"] == "accepted"


def test_a_contract_that_is_not_there_is_404_at_every_address(api: TestClient) -> None:
    for method, address in [
        ("GET", "/contract/9999"),
        ("DELETE", "/contract/9999"),
        ("GET", "/contract/9999/contract_timeline"),
        ("GET", "/9999/contract_timeline"),
    ]:
        answer = api.request(method, address)
        assert (answer.status_code, answer.json()["code"]) == (404, "contract_not_found")
        assert answer.json()["message"] == "Contract 9999 not found."


def test_a_deleted_contract_is_gone_and_created_again_it_starts_clean(api: TestClient) -> None:
    create(api)
    send(api)
    send(api, type=END, date="2024-06-01", created_at="2024-05-01T00:00:00Z")
    create(api, "1002")

    deleted = api.delete("/contract/1001/")

    assert (deleted.status_code, list(deleted.json())) == (200, ["message"])
    assert api.get("/contract/1001").status_code == 404
    assert api.delete("/contract/1001").status_code == 404
    assert send(api)["code"] == "contract_not_found"
    assert [item["contract_number"] for item in api.get("/contract").json()["items"]] == ["1002"]

    create(api)
    assert supply(api) == {"start": None, "end": None}
    assert send(api)["status"] == "accepted"


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_show_every_contract_once_in_the_order_of_the_numbers(api: TestClient, limit: int) -> None:
    numbers = sorted(["b", "a", "10", "9", "A", "-", "a.b"])
    for number in reversed(numbers):
        create(api, number)

    seen: list[str] = []
    query: dict[str, str | int] = {"limit": limit}
    while True:
        page = api.get("/contract", params=query).json()
        assert len(page["items"]) <= limit
        seen += [item["contract_number"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert seen == numbers


def test_a_page_holds_fifty_contracts_unless_asked_otherwise(api: TestClient) -> None:
    for number in range(51):
        create(api, f"{number:03}")

    page = api.get("/contract").json()

    assert [len(page["items"]), page["next_cursor"] is None] == [50, False]


def test_a_cursor_goes_on_although_its_contract_was_deleted(api: TestClient) -> None:
    for number in "abc":
        create(api, number)
    cursor = api.get("/contract?limit=2").json()["next_cursor"]
    api.delete("/contract/b")

    rest = api.get("/contract", params={"cursor": cursor}).json()

    assert [item["contract_number"] for item in rest["items"]] == ["c"]


def test_a_cursor_of_which_any_character_was_changed_is_refused(api: TestClient) -> None:
    create(api, "a")
    create(api, "b")
    cursor = api.get("/contract?limit=1").json()["next_cursor"]
    assert api.get("/contract", params={"cursor": cursor}).status_code == 200

    for place, character in enumerate(cursor):
        changed = cursor[:place] + ("B" if character == "A" else "A") + cursor[place + 1 :]
        answer = api.get("/contract", params={"cursor": changed})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), changed


def test_a_cursor_that_nobody_gave_out_is_refused(api: TestClient) -> None:
    for cursor in ["x", "", "a", "AAAA", "é", "\0", "=", "====", "null", "a b", "😀", "A" * 1024, "💣" * 200]:
        answer = api.get("/contract", params={"cursor": cursor})

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), cursor


def test_a_cursor_of_another_list_or_of_another_secret_is_refused(api: TestClient) -> None:
    ours, theirs = Cursors(lambda: b"s" * 64), Cursors(lambda: b"t" * 64)

    def status_of(cursor: str) -> int:
        return api.get("/contract", params={"cursor": cursor}).status_code

    assert status_of(ours.seal("contracts", "a")) == 200
    assert status_of(ours.seal("readings", "a")) == status_of(theirs.seal("contracts", "a")) == 400


def test_a_padded_cursor_is_refused_because_only_one_spelling_was_given_out(api: TestClient) -> None:
    cursor = Cursors(lambda: b"s" * 64).seal("contracts", "a")

    assert api.get("/contract", params={"cursor": cursor + "="}).status_code == 400


def test_a_limit_out_of_range_is_422_and_named(api: TestClient) -> None:
    assert api.get("/contract?limit=1").status_code == api.get("/contract?limit=200").status_code == 200
    for limit in ["0", "-1", "201", "x", "", "1.5", "null", "9" * 5000, "\u0661"]:
        answer = api.get("/contract", params={"limit": limit})

        assert answer.status_code == 422, limit
        assert [detail["field"] for detail in answer.json()["details"]] == ["limit"]


def test_a_creation_sent_again_under_its_key_gets_the_first_answer(api: TestClient) -> None:
    body = {"contract_number": "1001", "components": ["energy_supply"]}
    first, again = (api.post("/contract", json=body, headers={"Idempotency-Key": "mine"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert api.post("/contract", json=body).status_code == 409


def test_a_key_used_for_another_creation_is_refused(api: TestClient) -> None:
    body = {"contract_number": "1001", "components": ["energy_supply"]}
    api.post("/contract", json=body, headers={"Idempotency-Key": "mine"})
    answer = api.post(
        "/contract", json=body | {"contract_number": "1002"}, headers={"Idempotency-Key": "mine"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert api.get("/contract/1002").status_code == 404


def test_a_refused_creation_does_not_use_its_key_up(api: TestClient) -> None:
    body = {"contract_number": "1001", "components": ["energy_supply"]}
    api.post("/contract", json=body)
    assert api.post("/contract", json=body, headers={"Idempotency-Key": "mine"}).status_code == 409
    api.delete("/contract/1001")
    assert api.post("/contract", json=body, headers={"Idempotency-Key": "mine"}).status_code == 201


def test_a_key_whose_record_is_gone_does_not_answer_for_another_payload(api: TestClient) -> None:
    body = {"contract_number": "1001", "components": ["energy_supply"]}
    headers = {"Idempotency-Key": "mine"}
    api.post("/contract", json=body, headers=headers)
    (record,) = aws.dynamodb().scan(TableName="idempotency")["Items"]
    aws.dynamodb().delete_item(TableName="idempotency", Key={"id": record["id"]})
    assert (
        api.post(
            "/contract", json=body | {"components": ["battery_optimization"]}, headers=headers
        ).status_code
        == 409
    )
    assert api.post("/contract", json=body, headers=headers).status_code == 201


def test_a_cursor_of_any_length_that_was_not_given_out_is_an_invalid_cursor(api: TestClient) -> None:
    for length in (1, 1024, 1025, 5000):
        answer = api.get("/contract", params={"cursor": "A" * length})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
