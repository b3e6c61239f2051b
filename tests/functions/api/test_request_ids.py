"""Two ids of a request: the one the service gives it, and the one a caller has given it."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.functions.api.calls import create, event

Lines = Callable[[], list[dict[str, Any]]]

KEPT = [
    "mine",
    "0d6f1c9e-3f8a-4f0b-9d51-2c8a1f5e7b42",
    "Root=1-67891233-abcdef012345678912345678",
    "a/b:c.d_e~f+g=h@i",
    "x" * 128,
]
IGNORED: list[str | bytes] = [
    "",
    "x" * 129,
    "a b",
    "a,b",
    'a"b',
    "a\\b",
    "a\tb",
    "<script>",
    "{}",
    "é".encode("latin-1"),
    b"\xff",
    "a;b",
]


@pytest.mark.parametrize("given", KEPT)
def test_the_callers_id_comes_back_and_is_a_field_of_each_line(
    api: TestClient, log_lines: Lines, given: str
) -> None:
    create(api)
    answer = api.post("/event", json=event(), headers={"X-Request-ID": given})
    assert answer.headers["X-Client-Request-ID"] == given
    assert answer.headers["X-Request-ID"] != given
    (line,) = [line for line in log_lines() if line["message"] == "Event decided"]
    assert (line["client_request_id"], line["correlation_id"]) == (given, answer.headers["X-Request-ID"])
    refused = api.get("/contract/9999", headers={"X-Request-ID": given})
    assert refused.headers["X-Client-Request-ID"] == given
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]


@pytest.mark.parametrize("given", IGNORED)
def test_another_text_is_ignored_and_never_logged(
    api: TestClient, log_lines: Lines, given: str | bytes
) -> None:
    create(api)
    raw = given if isinstance(given, bytes) else given.encode()
    answer = api.post("/event", json=event(), headers={b"X-Request-ID": raw})
    assert answer.json()["status"] == "accepted"
    assert "X-Client-Request-ID" not in answer.headers
    assert not [line for line in log_lines() if "client_request_id" in line]


def test_two_ids_are_ignored(api: TestClient) -> None:
    answer = api.get("/health", headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")])
    assert "X-Client-Request-ID" not in answer.headers


def test_the_id_of_one_request_is_not_in_the_lines_of_the_next(api: TestClient, log_lines: Lines) -> None:
    create(api)
    api.post("/event", json=event(), headers={"X-Request-ID": "first"})
    api.post("/event", json=event())
    lines = [line for line in log_lines() if line["message"] == "Event decided"]
    assert [line.get("client_request_id") for line in lines] == ["first", None]
