"""Fixtures of the API's tests: what it logs, and what it asks of AWS."""

import io
import json
from collections.abc import Callable, Iterator
from logging import StreamHandler
from typing import Any
from uuid import uuid4

import pytest

from infra import aws
from infra.telemetry import logger
from infra.users import passwords
from tests.conftest import forget


class Calls(list[str]):
    """The operations that were sent to DynamoDB, one for each request on the wire."""

    def note(self, request: Any, **_: Any) -> None:
        """Take down one request."""
        self.append(request.headers["X-Amz-Target"].decode().rpartition(".")[2])


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash at little cost; what a hash must cost is claimed in tests/infra/users/test_passwords.py."""
    monkeypatch.setattr(passwords, "_MEMORY_KIB", 8)
    monkeypatch.setattr(passwords, "_PASSES", 1)
    passwords._hashes.cache_clear()
    monkeypatch.setattr(passwords, "_DUMMY_HASH", passwords.hash_password(uuid4().hex))
    yield
    passwords._hashes.cache_clear()


@pytest.fixture
def unaudited(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch the trail off.

    moto puts the whole table back when a transaction fails, which takes the writes of other threads
    with it, and copies it for each, which takes long where there are hundreds.
    """
    monkeypatch.setenv("ENABLE_EVENT_AUDIT", "false")


@pytest.fixture
def batches_unaudited(
    request: pytest.FixtureRequest, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Switch the trail off where the test's `label` is the one operation that writes from threads."""
    if request.node.callspec.params["label"] == "POST /events":
        monkeypatch.setenv("ENABLE_EVENT_AUDIT", "false")


@pytest.fixture
def calls(cloud: None) -> Calls:
    """Return the list in which every request to DynamoDB is noted from now on."""
    noted = Calls()
    # First, because moto answers at the same place and the hooks after it are not asked.
    aws.dynamodb().meta.events.register_first("before-send.dynamodb.*", noted.note)
    return noted


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return what reads the log so far; a line that is no JSON is an error."""
    handler = logger.registered_handler
    assert isinstance(handler, StreamHandler)
    written = io.StringIO()
    before = handler.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    handler.setStream(before)


@pytest.fixture
def dynamodb_raises(cloud: None) -> Callable[[Exception], None]:
    """Return what makes every call to DynamoDB raise an exception from now on."""

    def start(error: Exception) -> None:
        def fail(**_: Any) -> None:
            raise error

        aws.dynamodb().meta.events.register_first("before-call.dynamodb.*", fail)

    return start


@pytest.fixture
def closed(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask every caller for credentials."""
    monkeypatch.setenv("AUTH_MODE", "required")
    forget()
