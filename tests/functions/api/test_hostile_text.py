"""Text that UTF-8 cannot carry, and text that makes a slow reader slow, wherever a caller can put it."""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import domain
import functions
import infra
from domain.users import Role
from functions.api.handler import handler
from tests.conftest import application
from tests.functions.api.calls import event
from tests.functions.api.people import PASSWORD, enter
from tests.regular_expressions import NOT_DEPLOYED, compiled

JSON = {"Content-Type": "application/json"}
LONE = "\ud800"
IDS = {
    "contract_number": "1001",
    "user_id": "0" * 32,
    "key_id": "0" * 16,
    "key": "0" * 32,
    "smart_meter_id": "123",
}

# Bodies that get as far as they can, so that each text in them meets what is done with it.
COMPLETE: dict[str, dict[str, Any]] = {
    "RegistrationPayload": {"email": "a@example.com", "username": "ada", "password": PASSWORD},
    "NewUserPayload": {"email": "a@example.com", "username": "ada", "password": PASSWORD},
    "OwnChangesPayload": {"password": PASSWORD, "current_password": PASSWORD},
    "LoginPayload": {"username": "ada", "password": PASSWORD},
    "ApiKeyPayload": {"name": "gateway"},
    "EventPayload": event(),
    "ContractPayload": {"contract_number": "1001", "components": ["energy_supply"]},
    "ExportPayload": {
        "smart_meter_id": "123",
        "start_datetime": "2024-01-01T00:00:00Z",
        "end_datetime": "2024-01-02T00:00:00Z",
        "format": "csv",
    },
}


def json_bodies() -> Iterator[tuple[str, str, str, str]]:
    """Return method, path, schema and field of every field of every JSON body in the OpenAPI document."""
    document = application().openapi()
    operations = (
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    )
    for method, path, operation in operations:
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        for option in [schema, *schema.get("anyOf", [])]:
            name = option.get("$ref", "").rpartition("/")[2]
            for field in document["components"]["schemas"].get(name, {}).get("properties", {}):
                yield method, path, name, field


@pytest.mark.slow
def test_a_lone_surrogate_is_malformed_in_every_field_of_every_body(api: TestClient) -> None:
    shown = JSON | enter(api, Role.ADMIN)
    tried = set()
    for method, path, schema, field in json_bodies():
        for text in (LONE, f"long enough{LONE}", [LONE], {LONE: LONE}):
            body = COMPLETE.get(schema, {}) | {field: text}
            answer = api.request(method, path.format(**IDS), content=json.dumps(body), headers=shown)
            # In bulk each entry has its own verdict.
            malformed = {200, 422} if path in ("/contracts", "/events") else {400, 422}
            assert answer.status_code in malformed, (method, path, field, answer.text)
        tried.add((path, field))
    passwords = {path for path, field in tried if "password" in field}
    assert len(passwords) >= 4
    assert len(tried) > 25


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/api/meters/m/readings", {"readings": [], LONE: 1}, "?"),
        ("PUT", "/api/meters/m/readings", {"readings": [{LONE: 1}]}, "readings.0.?"),
        ("PUT", "/api/meters/m", {LONE: 1}, "body"),
        ("POST", "/contract", {LONE: 1}, "body"),
    ],
)
def test_a_lone_surrogate_in_the_name_of_a_field_does_not_come_back(
    api: TestClient, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    answer = api.request(method, path, content=json.dumps(body), headers=JSON)
    assert answer.status_code in {400, 422}
    error = answer.json()["details"][0]
    assert error["field"] == field
    assert error["message"] in {"is not a field of this", "must be text that UTF-8 can carry"}
    json.dumps(answer.json(), ensure_ascii=False).encode()


@pytest.mark.parametrize("field", ["username", "password", "scope", "client_id", "client_secret"])
def test_a_form_that_is_not_utf8_is_malformed(api: TestClient, field: str) -> None:
    form = {"username": "ada", "password": "x", field: "%ED%A0%80"}
    content = "&".join(f"{name}={value}" for name, value in form.items())
    answer = api.post(
        "/token", content=content, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("query", "field"),
    [("cursor=%ED%A0%80", "cursor"), ("%FF=1", "query"), ("limit=5&cursor=%C3", "cursor"), ("a=\xff", "")],
)
def test_a_query_that_is_not_utf8_is_malformed(api: TestClient, query: str, field: str) -> None:
    for path, status in (("/contract", 422), ("/health", 422), ("/api/meters", 400)):
        answer = api.get(f"{path}?{query}")
        if query == "a=\xff":
            # The client sends this one as UTF-8.
            assert answer.status_code in {200, 400, 422}
            continue
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (status, field)


@dataclass
class Context:
    aws_request_id: str = "0d6f1c9e-3f8a-4f0b-9d51-2c8a1f5e7b42"


@pytest.mark.parametrize("where", ["body", "query", "path", "header", "header name", "cookie"])
def test_the_gateways_event_may_hold_lone_surrogates_anywhere(cloud: None, where: str) -> None:
    def text(place: str, plain: str) -> str:
        return plain + LONE if place == where else plain

    request: dict[str, Any] = {
        "version": "2.0",
        "rawQueryString": text("query", "dry_run=true"),
        "headers": {"content-type": "application/json", text("header name", "x"): text("header", "y")},
        "cookies": [text("cookie", "a=b")],
        "requestContext": {
            "http": {"method": "POST", "path": text("path", "/event"), "sourceIp": "192.0.2.1"},
            "stage": "$default",
        },
        "body": text("body", json.dumps(event())),
        "isBase64Encoded": False,
    }

    answer = handler(request, Context())

    expected = {"body": {422}, "query": {422}, "path": {404}}.get(where, {200})
    assert answer["statusCode"] in expected, answer


INLINE = {f"re.{call}" for call in ("match", "fullmatch", "search", "sub", "split", "findall", "finditer")}


def test_every_pattern_is_compiled_where_this_test_finds_it() -> None:
    inline: list[str] = []
    for package in (domain, functions, infra):
        for file in Path(package.__path__[0]).rglob("*.py"):
            if NOT_DEPLOYED & set(file.parts):
                continue
            inline += [
                f"{file}:{node.lineno}"
                for node in ast.walk(ast.parse(file.read_text()))
                if isinstance(node, ast.Call) and ast.unparse(node.func) in INLINE
            ]
    assert inline == []
    assert len(compiled()) >= 10
