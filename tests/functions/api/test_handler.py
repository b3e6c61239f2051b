"""The function as Lambda calls it: payload 2.0 of an HTTP API and 1.0 of a REST API."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest

from functions.api.handler import handler
from tests.functions.api.calls import event

REQUEST_ID = "0d6f1c9e-3f8a-4f0b-9d51-2c8a1f5e7b42"


@dataclass
class Context:
    """What Lambda says of one invocation."""

    aws_request_id: str = REQUEST_ID
    function_name: str = "api"


def http_api(method: str, path: str, query: str, headers: dict[str, str], body: str | None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "gateway",
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": False,
    }


def rest_api(method: str, path: str, query: str, headers: dict[str, str], body: str | None) -> dict[str, Any]:
    parameters = dict(parse_qsl(query)) or None
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": parameters,
        "multiValueQueryStringParameters": {name: [value] for name, value in (parameters or {}).items()}
        or None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}, "stage": "prod", "requestId": "gateway"},
        "body": body,
        "isBase64Encoded": False,
    }


@pytest.fixture(params=[http_api, rest_api], ids=["HTTP API 2.0", "REST API 1.0"])
def call(request: pytest.FixtureRequest, cloud: None) -> Any:
    """Return what sends one request through the handler and returns status, headers and body."""

    def send(method: str, path: str, query: str = "", body: Any = None, encode: bool = False) -> Any:
        text = None if body is None else json.dumps(body)
        sent = request.param(method, path, query, {"content-type": "application/json", "host": "api"}, text)
        if encode and text:
            sent |= {"body": base64.b64encode(text.encode()).decode(), "isBase64Encoded": True}
        answer = handler(sent, Context())
        assert not answer["isBase64Encoded"]
        return answer["statusCode"], answer["headers"], answer["body"]

    return send


def test_both_kinds_of_gateway_serve_the_life_of_a_contract(call: Any) -> None:
    contract = {"contract_number": "1001", "components": ["energy_supply"]}
    assert call("POST", "/contract/", body=contract)[0] == 201
    assert call("POST", "/contract", body=contract | {"contract_number": "1002"}, encode=True)[0] == 201
    assert json.loads(call("POST", "/event", "dry_run=true", body=event())[2])["dry_run"] is True
    assert json.loads(call("POST", "/event", body=event())[2])["status"] == "accepted"
    assert (
        json.loads(call("POST", "/events", body={"events": [event()]})[2])["results"][0]["code"]
        == "stale_start"
    )
    timeline = {
        "contract_number": "1001",
        "components": {"energy_supply": {"start": "2024-01-01", "end": None}},
    }
    for path in ("/contract/1001/contract_timeline", "/1001/contract_timeline/"):
        assert json.loads(call("GET", path)[2]) == timeline

    page = json.loads(call("GET", "/contract", "limit=1")[2])
    rest = json.loads(call("GET", "/contract", f"limit=1&cursor={page['next_cursor']}")[2])
    assert [item["contract_number"] for item in page["items"] + rest["items"]] == ["1001", "1002"]

    assert call("DELETE", "/contract/1001")[0] == 200
    assert call("GET", "/contract/1001")[0] == 404


def test_an_answer_has_the_request_id_of_lambdas_log(call: Any) -> None:
    for method, path, body, expected in [
        ("GET", "/health", None, 200),
        ("GET", "/nix", None, 404),
        ("PATCH", "/contract", None, 405),
        ("POST", "/event", {"date": "x" * 2**20}, 413),
        ("POST", "/event", {}, 422),
        ("POST", "/event", None, 422),
    ]:
        status, headers, text = call(method, path, body=body)
        assert (status, headers["x-request-id"]) == (expected, REQUEST_ID)
        assert headers["x-content-type-options"] == "nosniff"
        assert float(headers["x-process-time"]) >= 0
        if status >= 400:
            assert json.loads(text)["request_id"] == REQUEST_ID
        if status == 405:
            assert headers["allow"] == "GET, HEAD, POST"


def test_the_page_of_the_documentation_is_text_and_its_picture_is_bytes(call: Any, cloud: None) -> None:
    status, headers, text = call("GET", "/docs")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert text.startswith("<!doctype html>")

    sent = http_api("GET", "/docs/favicon-32x32.png", "", {"host": "api"}, None)
    picture = handler(sent, Context())
    assert picture["isBase64Encoded"] is True
    assert base64.b64decode(picture["body"]).startswith(b"\x89PNG")


def test_unusual_paths_of_a_gateway_are_not_server_errors(call: Any) -> None:
    for path in ("/contract/a%20b", "/contract/a b", "/contract/é", "/contract/\0", "/contract/%ED%A0%80"):
        assert call("GET", path)[0] == 422, path


def test_the_lines_of_a_request_have_the_ids_of_lambda_and_of_the_gateway(
    call: Any, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    call("POST", "/event", body=event(contract_number="9999"))
    (line,) = log_lines()
    assert (line["correlation_id"], line["gateway_request_id"]) == (REQUEST_ID, "gateway")
