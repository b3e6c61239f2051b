"""Who may change a password or an email address, and with what proof."""

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.users import Role
from infra import aws
from infra.stores import stores
from infra.users.login_throttle import PER_CURRENT_PASSWORD
from tests.functions.api.people import PASSWORD, bearer, enter, log_in, make_key, make_user

NEW = "another good password"
CHANGES: list[dict[str, Any]] = [{"password": NEW}, {"email": "new@example.com"}]
changes = pytest.mark.parametrize("change", CHANGES, ids=["password", "email"])


@changes
@pytest.mark.parametrize("proof", [{}, {"current_password": "wrong password"}], ids=["none", "wrong"])
def test_own_credentials_need_the_current_password_even_right_after_the_login(
    closed: None, api: TestClient, change: dict[str, Any], proof: dict[str, str]
) -> None:
    shown = enter(api, Role.VIEWER, "ada")

    answer = api.put("/api/v1/users/me", json=change | proof, headers=shown)

    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_password")
    assert api.get("/api/v1/users/me", headers=shown).json()["email"] == "ada@example.com"
    log_in(api, "ada")
    changed = api.put("/api/v1/users/me", json=change | {"current_password": PASSWORD}, headers=shown)
    assert changed.status_code == 200


def test_sending_the_same_email_address_again_needs_no_proof(closed: None, api: TestClient) -> None:
    shown = enter(api, Role.VIEWER, "ada")
    same = {"email": "ada@example.com", "first_name": "Ada"}
    assert api.put("/api/v1/users/me", json=same, headers=shown).status_code == 200


@changes
def test_admins_change_their_own_credentials_only_at_users_me(
    closed: None, api: TestClient, change: dict[str, Any]
) -> None:
    admin = make_user("admin", Role.ADMIN)
    shown = bearer(log_in(api, "admin"))

    for proof in ({}, {"current_password": PASSWORD}):
        answer = api.put(f"/api/v1/users/{admin.id}", json=change | proof, headers=shown)
        assert answer.status_code == (422 if proof else 400)
    assert api.put(f"/api/v1/users/{admin.id}", json=change, headers=shown).json()["code"] == "own_account"
    assert stores().users.get(admin.id) == admin
    log_in(api, "admin")


@changes
def test_an_api_key_cannot_change_credentials(closed: None, api: TestClient, change: dict[str, Any]) -> None:
    admin, other = make_user("admin", Role.ADMIN), make_user("other", Role.ADMIN)
    key = {"X-API-Key": make_key(api, bearer(log_in(api, "admin")), Role.ADMIN)["key"]}

    for user, status in ((admin, 400), (other, 403)):
        assert api.put(f"/api/v1/users/{user.id}", json=change, headers=key).status_code == status
        assert stores().users.get(user.id) == user
    assert api.put("/api/v1/users/me", json=change, headers=key).status_code == 403
    # What is neither is the key's to change.
    assert api.put(f"/api/v1/users/{other.id}", json={"first_name": "O"}, headers=key).status_code == 200


@changes
def test_the_session_of_another_admin_can_change_credentials(
    closed: None, api: TestClient, change: dict[str, Any]
) -> None:
    user, shown = make_user("ada"), enter(api, Role.ADMIN)
    assert api.put(f"/api/v1/users/{user.id}", json=change, headers=shown).status_code == 200
    assert stores().users.get(user.id) != user


def test_guesses_of_the_current_password_have_their_own_throttle(closed: None, api: TestClient) -> None:
    user = make_user("ada")
    shown = bearer(log_in(api, "ada"))
    # Anyone may try a user id as a username; that is not an attempt of this user.
    for _ in range(PER_CURRENT_PASSWORD.attempts):
        api.post("/token", data={"username": user.id, "password": "wrong password"})
    change = {"password": NEW, "current_password": "wrong password"}

    statuses = [
        api.put("/api/v1/users/me", json=change, headers=shown).status_code
        for _ in range(PER_CURRENT_PASSWORD.attempts + 2)
    ]

    assert statuses == [400] * PER_CURRENT_PASSWORD.attempts + [429] * 2


def test_a_session_that_ends_during_the_request_changes_nothing(closed: None, api: TestClient) -> None:
    user = make_user("ada")
    shown = bearer(log_in(api, "ada"))

    def end_sessions(**_: Any) -> None:
        stores().users.change(user.id, lambda u: replace(u, epoch=u.epoch + 1, version=u.version + 1))

    # When the guess is counted, the session has been read, and the change has not been written.
    aws.dynamodb().meta.events.register_first("before-call.dynamodb.UpdateItem", end_sessions)
    change = {"password": NEW, "current_password": PASSWORD}
    assert api.put("/api/v1/users/me", json=change, headers=shown).status_code == 401

    stored = stores().users.get(user.id)
    assert stored is not None
    assert stored.password_hash == user.password_hash
