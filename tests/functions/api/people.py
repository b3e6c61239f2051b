"""Users of these tests, and their credentials."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient

from domain.users import Role, User
from infra.stores import stores
from infra.users.passwords import hash_password

PASSWORD = "correct horse battery"  # noqa: S105 - only of users in tests

Headers = dict[str, str]


@cache
def _hashed() -> str:
    return hash_password(PASSWORD)


def make_user(username: str, role: Role = Role.VIEWER, **fields: Any) -> User:
    """Store a user of `role` whose password is PASSWORD."""
    now = datetime.now(UTC)
    values = {"email": f"{username}@example.com", "password_hash": _hashed(), "role": role} | fields
    user = User(id=uuid4().hex, username=username, created_at=now, updated_at=now, **values)
    stores().users.create(user)
    return user


def log_in(api: TestClient, username: str, password: str = PASSWORD) -> dict[str, Any]:
    """Log in and return the tokens."""
    answer = api.post("/api/v1/auth/login", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def bearer(tokens: dict[str, Any]) -> Headers:
    """Return the header with the access token."""
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def enter(api: TestClient, role: Role, username: str | None = None) -> Headers:
    """Create a user of `role`, log in, and return the headers with the credentials."""
    name = username or role.value
    make_user(name, role)
    return bearer(log_in(api, name))


def make_key(api: TestClient, shown: Headers, role: Role, name: str = "gateway") -> dict[str, Any]:
    """Create an API key and return it with its secret."""
    answer = api.post("/api/v1/api-keys", json={"name": name, "role": role}, headers=shown)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())
