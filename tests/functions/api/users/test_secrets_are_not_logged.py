"""Secrets that callers send through every route: none of them is ever logged or answered."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from fastapi.testclient import TestClient

from domain.users import Role
from functions.api.access import ACCESS_RULES
from tests.functions.api.people import PASSWORD, Headers, bearer, log_in, make_key, make_user
from tests.functions.api.test_access import IDS

LogLines = Callable[[], list[dict[str, Any]]]


class Canaries:
    """Unique secrets that must never appear again, by the name of what they stand for."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def new(self, name: str, pattern: str = "{}") -> str:
        self.kept[name] = uuid4().hex
        return pattern.format(self.kept[name])

    def keep(self, name: str, secret: str) -> str:
        self.kept[name] = secret
        return secret

    def seen_in(self, text: str) -> list[str]:
        return [name for name, secret in self.kept.items() if secret in text]


def headers_with_secrets(canaries: Canaries, session: Headers, key: str) -> list[Headers]:
    return [
        session,
        {"X-API-Key": key},
        {"Authorization": canaries.new("unknown token", "Bearer {}")},
        {"Authorization": canaries.new("basic credentials", "Basic {}")},
        {"X-API-Key": canaries.new("unknown key")},
        {"Cookie": canaries.new("cookie", "session={}")},
    ]


def bodies_with_secrets(canaries: Canaries) -> list[dict[str, Any]]:
    return [
        {
            "username": canaries.new("username"),
            "email": canaries.new("email", "{}@example.com"),
            "password": canaries.new("password"),
        },
        {"username": "ada", "password": canaries.new("wrong password")},
        {"password": canaries.new("new password"), "current_password": canaries.new("current password")},
        {"password": [canaries.new("password that is not text")]},
        {"refresh_token": canaries.new("unknown refresh token")},
        {canaries.new("name of an unknown field"): canaries.new("value of an unknown field")},
    ]


def requests_with(
    shown: list[Headers], bodies: list[dict[str, Any]]
) -> Iterator[tuple[str, str, Headers, dict[str, Any] | None]]:
    """Yield every route with each of the headers, and with each of the bodies if it reads one.

    Each body comes with headers that let it in, where it is read, and each of the others with one of the bodies.
    """
    for method, path in ACCESS_RULES:
        route = (method, path.format(**IDS))
        if method in ("POST", "PUT"):
            yield from ((*route, shown[0], body) for body in bodies)
            yield from ((*route, headers, body) for headers, body in zip(shown[1:], bodies[1:], strict=True))
        else:
            yield from ((*route, headers, None) for headers in shown)


def test_a_canary_is_found_in_a_text_that_contains_it() -> None:
    canaries = Canaries()
    assert canaries.seen_in(f"x{canaries.new('password')}y") == ["password"]


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True], ids=["well", "failing"])
def test_no_canary_is_ever_logged(
    closed: None, api: TestClient, log_lines: LogLines, request: pytest.FixtureRequest, fails: bool
) -> None:
    canaries = Canaries()
    make_user("ada", Role.ADMIN, email=canaries.new("email of a user", "{}@example.com"))
    canaries.keep("password of a user", PASSWORD)
    tokens = log_in(api, "ada")
    canaries.keep("access token", tokens["access_token"])
    canaries.keep("refresh token", tokens["refresh_token"])
    key = canaries.keep("API key", make_key(api, bearer(tokens), Role.ADMIN)["key"])
    canaries.keep("secret of an API key", key.rpartition("_")[2])
    if fails:
        failure = {"Error": {"Code": "InternalServerError", "Message": "no"}}
        request.getfixturevalue("dynamodb_raises")(ClientError(failure, "Any"))  # type: ignore[arg-type]
    shown = headers_with_secrets(canaries, bearer(tokens), key)
    bodies = bodies_with_secrets(canaries)
    query = {
        "X-Amz-Signature": canaries.new("presigned query"),
        "access_token": canaries.new("token in a query"),
        "cursor": canaries.new("cursor"),
    }
    assert len(canaries.kept) >= 20

    answered = 0
    for method, path, headers, body in requests_with(shown, bodies):
        answer = api.request(method, path, headers=headers, json=body, params=query)
        answered += 1
        assert "$argon2" not in answer.text
        if "password" in str(body):
            assert not {"password", "new password", "wrong password"} & set(canaries.seen_in(answer.text))
    assert answered > 300

    lines = str(log_lines())
    assert canaries.seen_in(lines) == []
    assert "$argon2" not in lines
    assert "Authorization" not in lines
