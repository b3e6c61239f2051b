"""Fixtures of the API's tests: its log lines, its calls to DynamoDB, and cheap password hashes."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from infra import aws, retries
from infra.users import passwords
from tests.conftest import forget


class Calls(list[str]):
    """The operations that were sent to DynamoDB, one for each request on the wire."""

    def note(self, request: Any, **_: Any) -> None:
        """Record one request."""
        self.append(request.headers["X-Amz-Target"].decode().rpartition(".")[2])


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make password hashes cheap; tests/infra/users/test_passwords.py tests their real parameters."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 8)
    monkeypatch.setattr(passwords, "_PASSES", 1)
    passwords._hashes.cache_clear()
    monkeypatch.setattr(passwords, "_DUMMY_HASH", passwords.hash_password(uuid4().hex))
    yield
    passwords._hashes.cache_clear()


@pytest.fixture
def unaudited(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the trail off, so that an event is one write."""
    monkeypatch.setenv("ENABLE_EVENT_AUDIT", "false")


@pytest.fixture
def calls(cloud: None) -> Calls:
    """Return a list in which every request to DynamoDB is recorded from now on."""
    noted = Calls()
    # First, because moto answers in the same hook, and hooks after it are not called.
    aws.dynamodb().meta.events.register_first("before-send.dynamodb.*", noted.note)
    return noted


@pytest.fixture
def dynamodb_raises(cloud: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Return a function that makes every call to DynamoDB raise an exception from now on; no retry waits."""
    monkeypatch.setattr(retries, "_FIRST_PAUSE_SECONDS", 0)

    def start(error: Exception) -> None:
        def fail(**_: Any) -> None:
            raise error

        aws.dynamodb().meta.events.register_first("before-call.dynamodb.*", fail)

    return start


@pytest.fixture
def closed(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Require credentials from every caller."""
    monkeypatch.setenv("AUTH_MODE", "required")
    forget()
