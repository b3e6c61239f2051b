"""Users as they see themselves, and as admins see them."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.instants import parse_instant
from domain.users import Role
from infra.stores import stores
from tests.functions.api.people import PASSWORD, Headers, bearer, enter, log_in, make_key, make_user

NEW = "another good password"
NEW_PASSWORD = {"password": NEW, "current_password": PASSWORD}


@pytest.fixture
def admin(closed: None, api: TestClient) -> Headers:
    return enter(api, Role.ADMIN)


def user_of(api: TestClient, shown: Headers) -> dict[str, Any]:
    return dict(api.get("/api/v1/users/me", headers=shown).json())


def test_users_change_their_own_account(closed: None, api: TestClient) -> None:
    shown = enter(api, Role.VIEWER, "ada")
    before = user_of(api, shown)

    changes = {"email": "new@example.com", "first_name": "Ada", "last_name": None, "username": "ADA"}
    answer = api.put("/api/v1/users/me", json=changes | {"current_password": PASSWORD}, headers=shown)

    assert answer.status_code == 200
    assert (
        answer.json() == user_of(api, shown) == before | changes | {"updated_at": answer.json()["updated_at"]}
    )
    assert parse_instant(answer.json()["updated_at"]) > parse_instant(before["updated_at"])
    log_in(api, "new@example.com")
    assert api.put("/api/v1/users/me", json={}, headers=shown).json() == answer.json()
    # The previous email address is free again.
    other = {"email": "ada@example.com", "username": "other", "password": PASSWORD}
    assert api.post("/api/v1/auth/register", json=other).status_code == 201


def test_a_name_of_another_user_is_refused(closed: None, api: TestClient) -> None:
    make_user("other")
    shown = enter(api, Role.VIEWER, "ada")
    for changes in ({"username": "OTHER"}, {"email": "Other@example.com"}):
        proof = {"current_password": PASSWORD}
        answer = api.put("/api/v1/users/me", json=changes | proof, headers=shown)
        assert (answer.status_code, answer.json()["code"]) == (400, "user_exists")
    assert user_of(api, shown)["username"] == "ada"


def test_a_new_password_ends_every_session_at_once(closed: None, api: TestClient) -> None:
    make_user("ada")
    tokens, other = log_in(api, "ada"), log_in(api, "ada")
    key = {"X-API-Key": make_key(api, bearer(tokens), Role.VIEWER)["key"]}

    answer = api.put("/api/v1/users/me", json=NEW_PASSWORD, headers=bearer(tokens))

    assert answer.status_code == 200
    for session in (tokens, other):
        assert api.get("/api/v1/users/me", headers=bearer(session)).status_code == 401
        refresh = {"refresh_token": session["refresh_token"]}
        assert api.post("/api/v1/auth/refresh", json=refresh).status_code == 401
    assert api.post("/token", data={"username": "ada", "password": PASSWORD}).status_code == 401
    assert api.get("/api/v1/users/me", headers=bearer(log_in(api, "ada", NEW))).status_code == 200
    # A key does not depend on the password: it is revoked separately.
    assert api.get("/contract", headers=key).status_code == 200


MORE_THAN_ONES_OWN: list[dict[str, Any]] = [
    {"role": "admin"},
    {"is_superuser": True},
    {"is_active": False},
    {"id": "0" * 32},
    {"password_hash": "$argon2id$"},
    {"version": 7},
    {"epoch": 7},
    {"created_at": "2024-01-01T00:00:00Z"},
    {"__proto__": {"role": "admin"}},
    {"user": {"role": "admin"}},
]


@pytest.mark.parametrize("more", MORE_THAN_ONES_OWN)
def test_users_cannot_change_their_own_role(closed: None, api: TestClient, more: dict[str, Any]) -> None:
    shown = enter(api, Role.VIEWER, "ada")
    before = user_of(api, shown)
    mine = {"email": "eve@example.com", "username": "eve", "password": PASSWORD}

    for answer in (
        api.put("/api/v1/users/me", json={"first_name": "Eve"} | more, headers=shown),
        api.post("/api/v1/auth/register", json=mine | more),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
        assert next(iter(more)) in {detail["field"] for detail in answer.json()["details"]}
    assert user_of(api, shown) == before
    assert api.post("/token", data={"username": "eve", "password": PASSWORD}).status_code == 401


def test_admins_list_users_in_the_order_of_their_creation(api: TestClient, admin: Headers) -> None:
    for number in range(5):
        make_user(f"user{number}")

    names, cursor, pages = [], "", 0
    while cursor is not None:
        query = f"limit=2&cursor={cursor}" if cursor else "limit=2"
        page = api.get(f"/api/v1/users?{query}", headers=admin).json()
        names += [user["username"] for user in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1

    assert names == ["admin", *(f"user{number}" for number in range(5))]
    assert pages >= 3
    assert "password_hash" not in str(page)
    assert api.get("/api/v1/users?cursor=x", headers=admin).json()["code"] == "invalid_cursor"


def test_admins_make_users_of_any_role(api: TestClient, admin: Headers) -> None:
    body = {"email": "olga@example.com", "username": "olga", "password": PASSWORD, "role": "operator"}

    answer = api.post("/api/v1/users", json=body, headers=admin)

    assert (answer.status_code, answer.json()["role"]) == (201, "operator")
    assert api.get(f"/api/v1/users/{answer.json()['id']}", headers=admin).json() == answer.json()
    assert user_of(api, bearer(log_in(api, "olga"))) == answer.json()
    assert api.post("/api/v1/users", json=body, headers=admin).json()["code"] == "user_exists"


def test_a_deactivation_ends_every_credential_at_once_and_permanently(
    api: TestClient, admin: Headers
) -> None:
    user = make_user("ada", Role.OPERATOR)
    tokens = log_in(api, "ada")
    key = {"X-API-Key": make_key(api, bearer(tokens), Role.OPERATOR)["key"]}
    assert api.get("/contract", headers=key).status_code == 200

    answer = api.put(f"/api/v1/users/{user.id}", json={"is_active": False}, headers=admin)

    assert answer.json()["is_active"] is False
    for shown in (bearer(tokens), key):
        assert api.get("/contract", headers=shown).status_code == 401
    refresh = {"refresh_token": tokens["refresh_token"]}
    assert api.post("/api/v1/auth/refresh", json=refresh).status_code == 401
    assert api.post("/token", data={"username": "ada", "password": PASSWORD}).status_code == 401

    api.put(f"/api/v1/users/{user.id}", json={"is_active": True}, headers=admin)
    # A user who becomes active again has to log in again.
    assert api.get("/contract", headers=bearer(tokens)).status_code == 401
    assert api.get("/contract", headers=bearer(log_in(api, "ada"))).status_code == 200


def test_a_deleted_user_is_gone_and_the_name_is_free(api: TestClient, admin: Headers) -> None:
    user = make_user("ada")
    shown = bearer(log_in(api, "ada"))
    key = {"X-API-Key": make_key(api, shown, Role.VIEWER)["key"]}

    assert api.delete(f"/api/v1/users/{user.id}", headers=admin).status_code == 200

    for credential in (shown, key):
        assert api.get("/contract", headers=credential).status_code == 401
    for call in (api.get, api.delete):
        answer = call(f"/api/v1/users/{user.id}", headers=admin)
        assert (answer.status_code, answer.json()["code"]) == (404, "user_not_found")
    assert api.put(f"/api/v1/users/{user.id}", json={}, headers=admin).status_code == 404
    make_user("ada")
    # A new user with the same name does not have the deleted user's keys.
    assert api.get("/api/v1/api-keys", headers=bearer(log_in(api, "ada"))).json()["items"] == []
    assert stores().api_keys.list_of(user.id) == ()


def test_admins_cannot_delete_or_demote_their_own_account(api: TestClient, admin: Headers) -> None:
    me = f"/api/v1/users/{user_of(api, admin)['id']}"
    for answer in (
        api.delete(me, headers=admin),
        api.put(me, json={"role": "operator"}, headers=admin),
        api.put(me, json={"is_active": False}, headers=admin),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "own_account")
    assert api.put(me, json={"role": "admin", "first_name": "A"}, headers=admin).status_code == 200
    assert user_of(api, admin)["is_superuser"] is True


def test_the_last_admin_cannot_be_removed(api: TestClient) -> None:
    admin, other = make_user("admin", Role.ADMIN), make_user("other", Role.ADMIN)
    path = f"/api/v1/users/{admin.id}"
    # With AUTH_MODE=open the caller is anonymous.
    assert api.delete(f"/api/v1/users/{other.id}").status_code == 200
    for answer in (
        api.delete(path),
        api.put(path, json={"role": "operator"}),
        api.put(path, json={"is_active": False}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
    assert api.get(path).json()["is_superuser"] is True


def test_a_password_set_by_an_admin_ends_the_sessions_of_the_user(api: TestClient, admin: Headers) -> None:
    user = make_user("ada")
    shown = bearer(log_in(api, "ada"))

    api.put(f"/api/v1/users/{user.id}", json={"password": NEW}, headers=admin)

    assert api.get("/contract", headers=shown).status_code == 401
    log_in(api, "ada", NEW)


def test_malformed_ids_are_422(api: TestClient, admin: Headers) -> None:
    for wrong in ("x", "0" * 31, "G" * 32, "me%00", "..%2Fme"):
        assert api.get(f"/api/v1/users/{wrong}", headers=admin).status_code in {404, 422}
