"""API keys: shown once, never with more than their owner may do, gone when revoked."""

import json
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from domain.users import MAX_API_KEYS, Role
from infra import aws
from tests.functions.api.people import Headers, bearer, enter, log_in, make_key, make_user


def shown(key: str) -> Headers:
    return {"X-API-Key": key}


def test_a_key_is_shown_once_and_only_its_hash_is_stored(closed: None, api: TestClient) -> None:
    owner = enter(api, Role.OPERATOR)
    made = make_key(api, owner, Role.OPERATOR)
    listed = api.get("/api/v1/api-keys", headers=owner)

    secret = made.pop("key").rpartition("_")[2]
    assert listed.json() == {"items": [made], "next_cursor": None}
    assert made["last_used_at"] is None
    assert len(secret) == 64
    assert secret not in listed.text
    assert secret not in str(aws.dynamodb().scan(TableName="users")["Items"])


def test_a_key_acts_as_its_owner_with_its_own_role(closed: None, api: TestClient) -> None:
    owner = enter(api, Role.OPERATOR)
    viewing = shown(make_key(api, owner, Role.VIEWER)["key"])

    assert api.get("/api/v1/users/me", headers=viewing).json()["username"] == "operator"
    assert api.get("/contract", headers=viewing).status_code == 200
    assert api.post("/contract", json={}, headers=viewing).status_code == 403


def test_a_key_cannot_have_a_higher_role_than_its_owner(closed: None, api: TestClient) -> None:
    owner = enter(api, Role.OPERATOR)
    answer = api.post("/api/v1/api-keys", json={"name": "x", "role": "admin"}, headers=owner)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_key_cannot_create_keys_or_change_passwords(closed: None, api: TestClient) -> None:
    key = shown(make_key(api, enter(api, Role.ADMIN), Role.ADMIN)["key"])
    for method, path, body in [
        ("POST", "/api/v1/api-keys", {"name": "x"}),
        ("GET", "/api/v1/api-keys", None),
        ("PUT", "/api/v1/users/me", {"password": "another good password"}),
    ]:
        assert api.request(method, path, json=body, headers=key).status_code == 403


def test_a_revoked_key_is_refused(closed: None, api: TestClient) -> None:
    owner = enter(api, Role.VIEWER)
    made, other = make_key(api, owner, Role.VIEWER), make_key(api, owner, Role.VIEWER, "other")

    assert api.delete(f"/api/v1/api-keys/{made['id']}", headers=owner).status_code == 200

    assert api.get("/contract", headers=shown(made["key"])).status_code == 401
    assert api.get("/contract", headers=shown(other["key"])).status_code == 200
    again = api.delete(f"/api/v1/api-keys/{made['id']}", headers=owner)
    assert (again.status_code, again.json()["code"]) == (404, "api_key_not_found")


def test_the_key_of_another_user_is_answered_like_a_missing_key(closed: None, api: TestClient) -> None:
    made = make_key(api, enter(api, Role.VIEWER, "ada"), Role.VIEWER)
    eve = enter(api, Role.ADMIN, "eve")

    answers = [api.delete(f"/api/v1/api-keys/{id_}", headers=eve) for id_ in (made["id"], "0" * 16)]

    foreign, missing = (answer.text.replace(answer.headers["X-Request-ID"], "") for answer in answers)
    assert foreign == missing
    assert {answer.status_code for answer in answers} == {404}
    assert api.get("/contract", headers=shown(made["key"])).status_code == 200


def test_a_secret_with_the_id_of_another_key_is_refused(closed: None, api: TestClient) -> None:
    ada, eve = enter(api, Role.ADMIN, "ada"), enter(api, Role.VIEWER, "eve")
    theirs, mine = make_key(api, ada, Role.ADMIN)["key"], make_key(api, eve, Role.VIEWER)["key"]

    owner, secret = theirs.rpartition("_")[0], mine.rpartition("_")[2]

    for forged in (f"{owner}_{secret}", theirs.upper(), theirs[:-1], f"{theirs}0", f"{theirs},{theirs}"):
        assert api.get("/api/v1/users", headers=shown(forged)).status_code == 401
    assert api.get("/api/v1/users", headers=shown(theirs)).status_code == 200


def test_the_use_of_a_key_is_recorded(closed: None, api: TestClient) -> None:
    make_user("ada")
    ada = bearer(log_in(api, "ada"))
    made = make_key(api, ada, Role.VIEWER)
    before = datetime.now(UTC)

    api.get("/contract", headers=shown(made["key"]))

    (listed,) = api.get("/api/v1/api-keys", headers=ada).json()["items"]
    assert abs((datetime.fromisoformat(listed["last_used_at"]) - before).total_seconds()) < 60


def test_the_number_of_keys_of_a_user_is_limited(closed: None, api: TestClient) -> None:
    owner = enter(api, Role.VIEWER)
    for number in range(MAX_API_KEYS):
        make_key(api, owner, Role.VIEWER, str(number))

    answer = api.post("/api/v1/api-keys", json={"name": "x"}, headers=owner)

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_api_keys")
    listed = api.get("/api/v1/api-keys", headers=owner).json()["items"]
    assert [key["name"] for key in listed] == [str(number) for number in range(MAX_API_KEYS)]


@pytest.mark.parametrize("name", ["", "a\x00", "\x1b[2J", "a\nb", "\x85", "\x9b", "\ud800"])
def test_a_key_has_a_name_without_control_characters(closed: None, api: TestClient, name: str) -> None:
    headers = enter(api, Role.VIEWER) | {"Content-Type": "application/json"}
    answer = api.post("/api/v1/api-keys", content=json.dumps({"name": name}), headers=headers)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, "name")


def test_the_trail_names_the_user_or_the_key_that_sent_an_event(closed: None, api: TestClient) -> None:
    shown = enter(api, Role.OPERATOR, "olga")
    key = make_key(api, shown, Role.OPERATOR, "billing")
    contract = {"contract_number": "1001", "components": ["energy_supply"]}
    assert api.post("/contract", json=contract, headers=shown).status_code == 201
    event = {"type": "supply_energy_start", "contract_number": "1001", "date": "2024-01-01"}
    for at, headers in ((1, shown), (2, {"X-API-Key": key["key"]})):
        sent = api.post("/event", json=event | {"created_at": f"2023-12-0{at}T00:00:00Z"}, headers=headers)
        assert sent.json()["status"] == "accepted"
    rows = api.get("/contract/1001/events", headers=shown).json()["items"]
    user_id = api.get("/api/v1/users/me", headers=shown).json()["id"]
    assert [row["actor"] for row in rows] == [
        {"kind": "user", "id": user_id, "name": "olga"},
        {"kind": "api_key", "id": key["id"], "name": "billing"},
    ]
