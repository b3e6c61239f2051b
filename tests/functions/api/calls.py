"""Requests that these tests send, and the start of the application with given settings."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from functions.api.app import start
from tests.conftest import forget

START = "supply_energy_start"
END = "supply_energy_end"

HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def event(**fields: object) -> dict[str, Any]:
    """Return the body of an event: the start of contract 1001's supply, changed by `fields`."""
    return {
        "type": START,
        "contract_number": "1001",
        "date": "2024-01-01",
        "created_at": "2023-12-01T00:00:00Z",
    } | fields


def create(api: TestClient, number: str = "1001", *components: str) -> None:
    """Create a contract, with only energy supply if no `components` are given."""
    names = components or ("energy_supply",)
    answer = api.post("/contract", json={"contract_number": number, "components": names})
    assert answer.status_code == 201


def send(api: TestClient, **fields: object) -> dict[str, Any]:
    """Send an event and return the verdict."""
    answer = api.post("/event", json=event(**fields))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def supply(api: TestClient, number: str = "1001") -> dict[str, str | None]:
    """Return the start and end of a contract's energy supply."""
    answer = api.get(f"/contract/{number}/contract_timeline")
    assert answer.status_code == 200
    return dict(answer.json()["components"]["energy_supply"])


def started(monkeypatch: pytest.MonkeyPatch, **variables: str) -> TestClient:
    """Start the application with these environment variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    forget()
    return TestClient(start(), raise_server_exceptions=False)
