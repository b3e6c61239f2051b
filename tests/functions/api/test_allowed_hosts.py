"""The check of the Host header."""

import pytest
from fastapi.testclient import TestClient

from functions.api.app import create_app
from tests.functions.api.calls import started


def test_requests_for_other_hosts_are_refused(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    api = started(monkeypatch, ALLOWED_HOSTS="api.example.com,*.internal.example.com")

    for host in ("api.example.com", "API.example.com:443", "a.internal.example.com"):
        assert api.get("/health", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example.com", "internal.example.com", "api.example.com.evil", ""):
        answer = api.get("/health", headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host"), host
    assert TestClient(create_app()).get("/health", headers={"Host": "any"}).status_code == 200
