"""Coming in and going out: registration, login, refresh, logout."""

import pytest
from fastapi.testclient import TestClient

from domain.users import Role
from infra.stores import stores
from infra.users.login_throttle import PER_ACCOUNT_AND_SOURCE
from infra.users.passwords import verify_password
from tests.conftest import forget
from tests.functions.api.people import PASSWORD, bearer, enter, log_in, make_user

ADA = {"email": "Ada@example.com", "username": "Ada", "password": PASSWORD}
BCRYPT = "$2b$04$xoBEBtwtQeBuiBt8bJ29qO/if1OW0O043kom1MmWw6ym0FobTbMLy"


def test_a_registered_user_may_read_and_nothing_else(closed: None, api: TestClient) -> None:
    answer = api.post("/api/v1/auth/register", json=ADA | {"first_name": "Ada"})

    user = answer.json()
    assert answer.status_code == 201
    assert set(user) == {
        *("id", "email", "username", "first_name", "last_name", "is_active", "is_superuser", "role"),
        *("created_at", "updated_at"),
    }
    assert (user["username"], user["email"], user["first_name"]) == ("Ada", "Ada@example.com", "Ada")
    assert (user["role"], user["is_active"], user["is_superuser"]) == ("viewer", True, False)
    shown = bearer(log_in(api, "Ada"))
    assert api.get("/contract", headers=shown).status_code == 200
    assert api.post("/contract", json={}, headers=shown).status_code == 403


def test_names_and_email_addresses_are_unique_ignoring_case(api: TestClient) -> None:
    api.post("/api/v1/auth/register", json=ADA)

    for other in ({"email": "other@example.com", "username": "aDA"}, {"email": "aDA@EXAMPLE.com"}):
        answer = api.post("/api/v1/auth/register", json=ADA | {"username": "other"} | other)
        assert (answer.status_code, answer.json()["code"]) == (400, "user_exists")
    # What was refused has taken no name.
    for other in ({"email": "other@example.com"}, {"username": "other"}):
        free = {"username": "free", "email": "free@example.com"} | other
        answer = api.post("/api/v1/auth/register", json=ADA | free)
        assert answer.status_code == 201


def test_registering_is_refused_where_registration_is_closed(
    closed: None, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REGISTRATION")
    forget()

    for shown in ({}, enter(api, Role.ADMIN)):
        answer = api.post("/api/v1/auth/register", json=ADA, headers=shown)
        assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "ada"},
        {"email": "ada@example"},
        {"email": "a b@example.com"},
        {"email": "a" * 250 + "@example.com"},
        {"email": "ada@exämple.com"},
        {"username": "ad"},
        {"username": "a@b"},
        {"username": "a" * 65},
        {"username": "ada\n"},
        {"password": "1234567"},
        {"password": "x" * 129},
        {"password": 12345678},
        {"password": None},
        {"first_name": "x" * 101},
        *({"first_name": f"A{character}a"} for character in "\x00\x1b\n\x7f\x80\x9b\x9f"),
        {"last_name": "\x85"},
        *({"password": common} for common in ("password", "PassWord1", "12345678", "qwertyuiop", "P@ssw0rd")),
    ],
)
def test_a_malformed_field_is_named_but_its_value_is_not_repeated(
    api: TestClient, wrong: dict[str, object]
) -> None:
    answer = api.post("/api/v1/auth/register", json=ADA | wrong)

    (detail,) = answer.json()["details"]
    assert (answer.status_code, detail["field"]) == (422, next(iter(wrong)))
    assert PASSWORD not in answer.text


def test_the_length_of_a_password_is_told_in_characters(api: TestClient) -> None:
    for password, message in (
        ("1234567", "String should have at least 8 characters"),
        ("x" * 129, "String should have at most 128 characters"),
    ):
        answer = api.post("/api/v1/auth/register", json=ADA | {"password": password})
        assert answer.json()["details"] == [{"field": "password", "message": message}]


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/auth/token", "/token"])
def test_a_login_is_json_or_a_form_with_username_or_email_address(api: TestClient, path: str) -> None:
    make_user("ada")
    form = {"grant_type": "password", "scope": "", "client_id": "", "client_secret": ""}
    for login in ("ada", "ADA", "ada@example.com", "Ada@Example.COM"):
        credentials = {"username": login, "password": PASSWORD}
        for answer in (api.post(path, json=credentials), api.post(path, data=form | credentials)):
            assert answer.status_code == 200, answer.text
            tokens = answer.json()
            assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
            assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"[" * 5000, "application/json"),
        (b'{"username": "ada"}', "application/json"),
        (b'{"username": "ada", "password": "x", "role": "admin"}', "application/json"),
        (b'{"username": "ada", "password": "\\ud800"}', "application/json"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"username=ada", "application/x-www-form-urlencoded"),
        (b"username=ada&password=x&grant_type=refresh_token", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % number for number in range(50)), "application/x-www-form-urlencoded"),
        (b"username=ada&password=x", "multipart/form-data; boundary=x"),
    ],
)
def test_a_malformed_login_is_422(api: TestClient, content: bytes, kind: str) -> None:
    answer = api.post("/token", content=content, headers={"Content-Type": kind})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


def test_every_failed_login_gets_the_same_answer(api: TestClient) -> None:
    make_user("ada")
    make_user("gone", is_active=False)
    bodies = set()
    for name, password in [
        ("ada", "wrong password"),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("gone", PASSWORD),
        ("gone", "wrong password"),
    ]:
        answer = api.post("/token", data={"username": name, "password": password})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        bodies.add(answer.text.replace(answer.headers["X-Request-ID"], ""))

    assert len(bodies) == 1


def test_a_refresh_issues_the_next_tokens_and_a_reused_one_ends_the_session(
    closed: None, api: TestClient
) -> None:
    make_user("ada")
    first, other = log_in(api, "ada"), log_in(api, "ada")
    second = api.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}).json()
    assert api.get("/api/v1/users/me", headers=bearer(second)).status_code == 200

    stolen = api.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})

    assert stolen.status_code == 401
    again = api.post("/api/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})
    assert again.status_code == 401
    assert api.get("/api/v1/users/me", headers=bearer(second)).status_code == 401
    assert api.get("/api/v1/users/me", headers=bearer(other)).status_code == 200


def test_only_a_refresh_token_refreshes(api: TestClient) -> None:
    make_user("ada")
    tokens = log_in(api, "ada")
    for wrong in (tokens["access_token"], "x", "", tokens["refresh_token"] + "x"):
        answer = api.post("/api/v1/auth/refresh", json={"refresh_token": wrong})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert api.post("/api/v1/auth/refresh", json={}).status_code == 422


@pytest.mark.parametrize("how", ["refresh token", "access token", "both"])
def test_a_logout_ends_the_session_and_no_other(closed: None, api: TestClient, how: str) -> None:
    make_user("ada")
    tokens, other = log_in(api, "ada"), log_in(api, "ada")
    shown = {} if how == "refresh token" else bearer(tokens)
    body = None if how == "access token" else {"refresh_token": tokens["refresh_token"]}

    assert api.post("/api/v1/auth/logout", json=body, headers=shown).status_code == 200

    refreshed = api.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401
    assert api.get("/api/v1/users/me", headers=bearer(tokens)).status_code == 401
    assert api.post("/api/v1/auth/logout", json=body, headers=shown).status_code == 401
    assert api.get("/api/v1/users/me", headers=bearer(other)).status_code == 200


def test_a_bcrypt_hash_is_valid_and_is_replaced_at_the_login(api: TestClient) -> None:
    user = make_user("ada", password_hash=BCRYPT)
    session = bearer(log_in(api, "ada"))

    stored = stores().users.get(user.id)
    assert stored is not None
    assert stored.password_hash.startswith("$argon2id$v=19$")
    assert verify_password(PASSWORD, stored.password_hash) == (True, None)
    # The password is the same, so the session goes on.
    assert api.get("/api/v1/users/me", headers=session).status_code == 200
    log_in(api, "ada")


def test_the_logins_of_an_account_are_limited_in_each_window(api: TestClient) -> None:
    make_user("ada")
    answers = [
        api.post("/token", data={"username": name, "password": "wrong password"})
        for name in ["ada", "ADA"] * (PER_ACCOUNT_AND_SOURCE.attempts // 2)
    ]
    assert {answer.status_code for answer in answers} == {401}

    # Checked before the password: the right one does not help either.
    answer = api.post("/token", data={"username": "ada", "password": PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["Retry-After"]) <= PER_ACCOUNT_AND_SOURCE.seconds


def test_an_unknown_name_is_throttled_like_any_other(api: TestClient) -> None:
    statuses = [
        api.post("/token", data={"username": "nobody", "password": PASSWORD}).status_code
        for _ in range(PER_ACCOUNT_AND_SOURCE.attempts + 1)
    ]
    assert statuses == [401] * PER_ACCOUNT_AND_SOURCE.attempts + [429]
