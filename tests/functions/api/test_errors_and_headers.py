"""What surrounds every answer: its id, its headers, and the one shape of errors."""

import os
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from fastapi.testclient import TestClient
from httpx2 import Response

from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.app import create_app
from infra import aws
from tests.conftest import forget
from tests.coroutines import run
from tests.functions.api.calls import HTTP_METHODS, create, event

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

SUCCESSES = [
    ("GET", "/", {}),
    ("GET", "/health", {}),
    ("GET", "/health/ready", {}),
    ("GET", "/contract", {}),
    ("GET", "/contract/1001", {}),
    ("GET", "/contract/1001/contract_timeline", {}),
    ("POST", "/event", {"json": event()}),
    ("POST", "/events", {"json": {"events": []}}),
    ("POST", "/contract", {"json": {"contract_number": "1002", "components": ["energy_supply"]}}),
    ("DELETE", "/contract/1001", {}),
]
ERRORS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/contract?cursor=x", {}, 400, "invalid_cursor"),
    ("GET", "/contract/9999", {}, 404, "contract_not_found"),
    ("GET", "/nix", {}, 404, "not_found"),
    ("GET", "/docs/nix.js", {}, 404, "not_found"),
    ("PATCH", "/nix", {}, 404, "not_found"),
    ("PATCH", "/contract", {}, 405, "method_not_allowed"),
    (
        "POST",
        "/contract",
        {"json": {"contract_number": "1001", "components": ["energy_supply"]}},
        409,
        "contract_exists",
    ),
    ("POST", "/event", {"content": b"x" * 2**21}, 413, "payload_too_large"),
    ("POST", "/event", {"content": b"{"}, 422, "validation_error"),
    ("GET", "/contract?limit=0", {}, 422, "validation_error"),
]

Raise = Callable[[Exception], None]


def assert_framed(answer: Response) -> None:
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-ID"])
    assert 0 <= float(answer.headers["X-Process-Time"]) < 60
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert answer.headers["Content-Type"] == "application/json"


def assert_error(answer: Response, status: int, code: str) -> None:
    assert_framed(answer)
    body = answer.json()
    assert (answer.status_code, body["code"], body["status"]) == (status, code, "error")
    assert list(body) == ["status", "code", "message", "details", "request_id"]
    assert isinstance(body["message"], str)
    assert body["message"]
    assert all(list(detail) == ["field", "message"] for detail in body["details"])
    assert body["request_id"] == answer.headers["X-Request-ID"]


def test_every_success_has_the_common_headers(api: TestClient) -> None:
    create(api)
    for method, path, request in SUCCESSES:
        answer = api.request(method, path, **request)  # type: ignore[arg-type]
        assert answer.is_success, path
        assert_framed(answer)


def test_every_error_has_the_common_headers_and_the_error_body(api: TestClient) -> None:
    create(api)
    for method, path, request, status, code in ERRORS:
        assert_error(api.request(method, path, **request), status, code)


def test_only_public_static_files_may_be_cached(api: TestClient) -> None:
    create(api)
    answers = [api.request(method, path, **request) for method, path, request in SUCCESSES]  # type: ignore[arg-type]
    answers += [api.request(method, path, **request) for method, path, request, _, _ in ERRORS]
    answers += [api.get("/docs"), api.get("/openapi.json"), api.options("/contract")]
    answers.append(api.post("/token", data={"username": "ada", "password": "wrong password"}))

    assert {answer.headers.get("Cache-Control") for answer in answers} == {"no-store"}
    assert api.get("/docs/swagger-ui.css").headers["Cache-Control"] == "public, max-age=86400"


def test_each_request_gets_its_own_id_whatever_the_caller_sends(api: TestClient) -> None:
    ids = [api.get("/health", headers={"X-Request-ID": "mine"}).headers["X-Request-ID"] for _ in range(3)]

    assert len({*ids, "mine"}) == 4


def test_405_names_every_method_of_the_path(api: TestClient) -> None:
    allowed = {
        "/": "GET, HEAD",
        "/contract": "GET, HEAD, POST",
        "/contract/": "GET, HEAD, POST",
        "/contract/1001": "DELETE, GET, HEAD, PATCH",
        "/contract/1001/contract_timeline": "GET, HEAD",
        "/1001/contract_timeline": "GET, HEAD",
        "/event": "POST",
        "/contracts": "POST",
        "/events": "GET, HEAD, POST",
        "/health": "GET, HEAD",
        "/docs": "GET, HEAD",
        "/openapi.json": "GET, HEAD",
    }
    for path, methods in allowed.items():
        for method in {*HTTP_METHODS, "OPTIONS", "TRACE", "NONSENSE"} - set(methods.split(", ")):
            answer = api.request(method, path)
            assert_error(answer, 405, "method_not_allowed")
            assert ", ".join(sorted(answer.headers["Allow"].split(", "))) == methods


def test_an_unexpected_error_is_500_and_reveals_nothing(
    api: TestClient, dynamodb_raises: Raise, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    dynamodb_raises(RuntimeError("the secret is 42"))

    for method, path, body in [
        ("GET", "/contract/1001", None),
        ("GET", "/contract", None),
        ("GET", "/health/ready", None),
        ("DELETE", "/contract/1001", None),
        ("POST", "/event", event()),
        ("POST", "/events", {"events": [event()]}),
        ("POST", "/contract", {"contract_number": "1001", "components": ["energy_supply"]}),
    ]:
        answer = api.request(method, path, json=body)
        assert_error(answer, 500, "internal_error")
        assert not re.search(r"secret|42|RuntimeError|Traceback|\.py", answer.json()["message"])
        request_id = answer.headers["X-Request-ID"]
        lines = [line for line in log_lines() if line["correlation_id"] == request_id]
        (line,) = [line for line in lines if line["message"] == "Unexpected error"]
        assert "the secret is 42" in line["exception"]


def refusal(code: str) -> ClientError:
    """Return what botocore raises when DynamoDB answers with an error."""
    metadata: Any = {"HTTPStatusCode": 500 if code == "InternalServerError" else 400}
    return ClientError(
        {"Error": {"Code": code, "Message": "hush"}, "ResponseMetadata": metadata}, "Operation"
    )


FAILURES = {
    "no connection": EndpointConnectionError(endpoint_url="https://hush.example"),
    "no answer in time": ReadTimeoutError(endpoint_url="https://hush.example"),
    "no connection in time": ConnectTimeoutError(endpoint_url="https://hush.example"),
    "no credentials": NoCredentialsError(),
    "throttled": refusal("ProvisionedThroughputExceededException"),
    "throttled by account": refusal("ThrottlingException"),
    "error of DynamoDB": refusal("InternalServerError"),
    "no such table": refusal("ResourceNotFoundException"),
    "not allowed": refusal("AccessDeniedException"),
}


WRITES_SAY = {
    "no connection": "busy",
    "no answer in time": "outcome_unknown",
    "no connection in time": "busy",
    "no credentials": "internal_error",
    "throttled": "busy",
    "throttled by account": "busy",
    "error of DynamoDB": "outcome_unknown",
    "no such table": "internal_error",
    "not allowed": "internal_error",
}


@pytest.mark.parametrize("name", WRITES_SAY)
def test_a_write_that_fails_says_whether_it_may_have_been_stored_and_only_doubt_is_counted(
    api: TestClient,
    dynamodb_raises: Raise,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    dynamodb_raises(FAILURES[name])
    code = WRITES_SAY[name]
    for method, path, body in [
        ("DELETE", "/contract/1001", None),
        ("POST", "/event", event()),
        ("POST", "/events", {"events": [event()]}),
        ("POST", "/contract", {"contract_number": "1001", "components": ["energy_supply"]}),
    ]:
        answer = api.request(method, path, json=body)
        assert_error(answer, 500 if code == "internal_error" else 503, code)
        assert ("Retry-After" in answer.headers) == (code != "internal_error")
        assert counted() == ({"OutcomeUnknown": 1} if code == "outcome_unknown" else {})
        assert "hush" not in answer.text


def test_when_dynamodb_does_not_answer_a_read_is_503_with_retry_after(
    api: TestClient, dynamodb_raises: Raise
) -> None:
    for failure in FAILURES.values():
        dynamodb_raises(failure)
        for method, path, body in [
            ("GET", "/contract/1001", None),
            ("GET", "/contract", None),
            ("GET", "/health/ready", None),
            ("GET", "/contract/1001/contract_timeline", None),
            ("POST", "/event?dry_run=true", event()),
        ]:
            answer = api.request(method, path, json=body)
            assert_error(answer, 503, "service_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert "hush" not in answer.text


def test_an_event_whose_response_was_lost_is_never_called_rejected_and_is_counted(
    api: TestClient, dynamodb_raises: Raise, counted: Callable[[], dict[str, float]]
) -> None:
    dynamodb_raises(FAILURES["no answer in time"])

    for path, body in [("/event", event()), ("/events", {"events": [event()]})]:
        answer = api.post(path, json=body)
        assert_error(answer, 503, "outcome_unknown")
        assert counted() == {"OutcomeUnknown": 1}


def test_without_the_signing_secret_requests_with_a_cursor_are_503(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(api)
    create(api, "1002")
    monkeypatch.setenv("SIGNING_SECRET", "hush")
    forget()

    for query in ("limit=1", "cursor=AAAA"):
        answer = api.get(f"/contract?{query}")
        assert_error(answer, 503, "service_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert "hush" not in answer.text
    assert api.get("/contract?limit=2").status_code == 200


OPEN_TO_ALL = ["/", "/health", "/health/ready", "/docs", "/docs/swagger-ui.css", "/openapi.json"]


def test_where_credentials_are_required_requests_without_them_are_refused(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_MODE", "required")
    paths = api.get("/openapi.json").json()["paths"]

    for path in OPEN_TO_ALL:
        assert api.get(path).status_code == 200, path
    bodies = set()
    for path, item in paths.items():
        for method in item:
            if ACCESS_RULES[method.upper(), path] is AccessRule.PUBLIC:
                continue
            address = path.replace("{contract_number}", "1001")
            for headers in ({}, {"Authorization": "Bearer x"}, {"X-API-Key": "x"}):
                answer = api.request(method, address, headers=headers, json={} if method == "post" else None)
                assert_error(answer, 401, "unauthorized")
                assert answer.headers["WWW-Authenticate"] == "Bearer"
                bodies.add(answer.text.replace(answer.headers["X-Request-ID"], ""))
    assert len(bodies) == 1


def test_an_incomplete_body_is_not_treated_as_a_complete_one(cloud: None) -> None:
    parts = iter([{"type": "http.request", "body": b"{}", "more_body": True}, {"type": "http.disconnect"}])
    answered: list[Any] = []

    async def receive() -> Any:
        return next(parts)

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": "/event", "headers": [], "query_string": b""}
    run(create_app()(scope, receive, send))
    assert answered == []


@pytest.mark.parametrize(
    "variable",
    [
        f"{table}_TABLE"
        for table in ("CONTRACTS", "USERS", "THROTTLES", "IDEMPOTENCY", "READINGS", "EXPORT_JOBS")
    ],
)
def test_without_any_of_its_tables_the_service_is_not_ready(api: TestClient, variable: str) -> None:
    assert api.get("/health/ready").status_code == 200
    aws.dynamodb().delete_table(TableName=os.environ[variable])
    answer = api.get("/health/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
    assert api.get("/health").status_code == 200
