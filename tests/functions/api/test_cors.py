"""CORS: which web pages may call the API."""

from collections.abc import Callable

import pytest

from tests.functions.api.calls import started

PAGE = "https://app.example.com"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def test_web_pages_may_call_only_from_configured_origins(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = started(monkeypatch)

    assert api.options("/event", headers=PREFLIGHT).status_code == 405
    answer = api.get("/health", headers={"Origin": PAGE})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_preflight_from_another_origin_is_refused(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    api = started(monkeypatch, ALLOWED_ORIGINS=f"{PAGE}, https://other.example.com")

    preflight = api.options("/event", headers=PREFLIGHT)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    assert preflight.headers["X-Request-ID"]
    assert api.get("/health", headers={"Origin": PAGE}).headers["Access-Control-Allow-Origin"] == PAGE

    refused = api.options("/event", headers=PREFLIGHT | {"Origin": "https://evil.example.com"})
    assert (refused.status_code, refused.json()["code"]) == (400, "cors_refused")
    assert refused.json()["request_id"] == refused.headers["X-Request-ID"]
    answer = api.get("/health", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_may_read_errors(
    cloud: None, monkeypatch: pytest.MonkeyPatch, dynamodb_raises: Callable[[Exception], None]
) -> None:
    api = started(monkeypatch, ALLOWED_ORIGINS=PAGE)
    page = {"Origin": PAGE}
    answers = [api.post("/event", content=b"x" * 2**21, headers=page)]
    dynamodb_raises(RuntimeError("boom"))
    answers.append(api.get("/contract/1001", headers=page))
    assert [answer.status_code for answer in answers] == [413, 500]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"]
