"""Malformed bodies, paths, queries and headers: none is answered with 500 or above."""

import json
from collections.abc import Iterator
from itertools import product

import pytest
from fastapi.testclient import TestClient

from functions.api.middleware import MAX_BODY_BYTES
from tests.functions.api.calls import create, event, supply

JSON = {"Content-Type": "application/json"}
EVENT = json.dumps(event()).encode()

# Refused by every route; the answer names the field `body` unless another one is given.
ODD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \n",
    "no JSON": b"{",
    "JSON and more": EVENT + b"x",
    "two documents": EVENT + EVENT,
    "single quotes": b"{'type': 1}",
    "invalid UTF-8": b"\xff\xfe\xfd",
    "invalid UTF-8 in a string": EVENT.replace(b"1001", b"10\xff01"),
    "truncated UTF-8": b'{"type": "\xf0\x9f"}',
    "nested too deep": b"[" * 100_000,
    "nested too deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "objects nested too deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "an integer of 5000 digits": b"9" * 5000,
    "a date of 5000 digits": EVENT.replace(b'"2024-01-01"', b"9" * 5000),
    "top-level number": b"1",
    "top-level float": b"1e999",
    "top-level NaN": b"NaN",
    "top-level string": b'"type"',
    "top-level null": b"null",
    "top-level true": b"true",
    "top-level array": b"[]",
    "array of events": b"[" + EVENT + b"]",
    "a lone surrogate as a name": b'{"\\ud800": 1}',
}


def test_a_malformed_body_is_422_and_names_the_body(api: TestClient) -> None:
    for path, (name, body) in product(("/contract", "/event", "/events"), ODD_BODIES.items()):
        answer = api.post(path, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), name
        assert answer.json()["details"][0]["field"] == "body", name


ODD_VALUES: dict[str, tuple[bytes, str]] = {
    "NaN": (b"NaN", "date"),
    "Infinity": (b"-Infinity", "date"),
    "a float beyond all floats": (b"1e999", "date"),
    "an integer of 4000 digits": (b"9" * 4000, "date"),
    "a lone surrogate": (b'"\\ud800"', "date"),
    "a pair of surrogates the wrong way round": (b'"\\udc00\\ud800"', "date"),
    "a NUL": (b'"2024-01-01\\u0000"', "date"),
    "a deep list": (b"[" * 500 + b"]" * 500, "date"),
    "a long text": (b'"' + b"x" * 1_000_000 + b'"', "date"),
}


def test_a_malformed_value_is_422_and_names_its_field_or_in_bulk_a_verdict(api: TestClient) -> None:
    create(api)
    for name, (value, field) in ODD_VALUES.items():
        body = EVENT.replace(b'"2024-01-01"', value)
        answer = api.post("/event", content=body, headers=JSON)
        assert answer.status_code == 422, name
        assert [detail["field"] for detail in answer.json()["details"]] == [field], name

        many = api.post("/events", content=b'{"events": [' + body + b"]}", headers=JSON)
        assert many.status_code == 200, name
        assert many.json()["results"][0]["details"][0]["field"] == field, name
    assert supply(api)["start"] is None


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_a_lone_surrogate_is_refused_in_every_text_of_an_event(api: TestClient, text: str) -> None:
    create(api)
    for field in ("type", "contract_number", "date", "created_at", "id"):
        body = json.dumps(event(**{field: text}))
        answer = api.post("/event", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, field)

        many = api.post("/events", content=f'{{"events": [{body}, {{"{field}\\ud800": 1}}, "\\ud800"]}}')
        assert {many.status_code} <= {200, 422}


def test_of_a_duplicate_name_the_last_value_is_used(api: TestClient) -> None:
    create(api)
    body = EVENT[:-1] + b', "date": "2030-01-01"}'

    assert api.post("/event", content=body, headers=JSON).json()["date"] == "2030-01-01"


def test_a_refused_value_is_not_repeated_in_the_answer(api: TestClient) -> None:
    answer = api.post("/event", json=event(contract_number="my secret", id=["hush"], date="quiet"))

    assert answer.status_code == 422
    assert len(answer.json()["details"]) == 3
    for word in ("secret", "hush", "quiet"):
        assert word not in answer.text


def test_an_answer_to_many_errors_stays_short(api: TestClient) -> None:
    answer = api.post("/event", json={f"{n}{'x' * 500}": n for n in range(1000)})

    assert answer.status_code == 422
    assert len(answer.json()["details"]) == 20
    assert len(answer.content) < 10_000


def test_a_body_of_a_mebibyte_and_one_byte_is_413(api: TestClient) -> None:
    def in_pieces() -> Iterator[bytes]:
        yield from (b" " * 1024 for _ in range(1024))
        yield b" "

    whole = b" " * (MAX_BODY_BYTES + 1)
    for path, whole_or_not in product(("/contract", "/event", "/events", "/nix", "/health"), (True, False)):
        content = whole if whole_or_not else in_pieces()
        answer = api.post(path, content=content, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        assert str(MAX_BODY_BYTES) in answer.json()["message"]


def test_a_body_of_exactly_a_mebibyte_is_read(api: TestClient) -> None:
    create(api)
    body = EVENT + b" " * (MAX_BODY_BYTES - len(EVENT))

    assert api.post("/event", content=body, headers=JSON).json()["status"] == "accepted"
    assert (
        api.post("/event", content=iter([body[:9], body[9:]]), headers=JSON).json()["code"] == "stale_start"
    )


def test_a_body_is_read_as_json_only_when_it_is_sent_as_json(api: TestClient) -> None:
    create(api)
    outcomes = {
        kind: api.post(
            "/event?dry_run=1", content=EVENT, headers={"Content-Type": kind} if kind else {}
        ).status_code
        for kind in (
            *(
                "application/json",
                "application/json; charset=utf-8",
                "APPLICATION/JSON",
                "application/vnd.api+json",
            ),
            *(
                "",
                "text/plain",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
                "json",
                "a/b/c",
                ";",
            ),
        )
    }

    assert [kind for kind, status in outcomes.items() if status == 200] == [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.api+json",
    ]
    assert set(outcomes.values()) == {200, 422}


ODD_NUMBERS = {
    "%00": 422,
    "%FF": 422,
    "%ED%A0%80": 422,
    "%F0%9F%98%80": 422,
    "%D9%A1": 422,
    "1001%0A": 422,
    "1001%20": 422,
    "%201001": 422,
    "1001%3Fx": 422,
    "1001;x": 422,
    "'%20OR%201=1": 422,
    "{contract_number}": 422,
    "a" * 65: 422,
    "a" * 5000: 422,
    "a%2Fb": 404,
    "%2e%2e": 404,
}


def test_an_unusual_contract_number_in_a_path_has_a_defined_outcome(api: TestClient) -> None:
    create(api)
    for number, status in ODD_NUMBERS.items():
        for method, path in [
            ("GET", f"/contract/{number}"),
            ("DELETE", f"/contract/{number}"),
            ("GET", f"/contract/{number}/contract_timeline"),
            ("GET", f"/{number}/contract_timeline"),
        ]:
            answer = api.request(method, path, follow_redirects=False)
            assert answer.status_code == status, (method, path)
            if status == 422:
                assert answer.json()["details"][0]["field"] == "contract_number"
    assert api.get("/contract/1001").status_code == 200


def test_unusual_paths_are_404_and_never_a_redirect(api: TestClient) -> None:
    for path in (
        "/contract/1001//contract_timeline",
        "/contract_timeline",
        "/event/1",
        "/docs/../app.py",
        "/%00",
    ):
        answer = api.get(path, follow_redirects=False)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


def test_malformed_queries_and_headers_are_never_a_server_error(api: TestClient) -> None:
    create(api)
    odd = [
        "",
        "%",
        "%FF",
        "%00",
        "&&&",
        "=",
        "limit",
        "limit=1&limit=x",
        "cursor=%ED%A0%80",
        "a=" + "b" * 9000,
    ]
    for query in odd:
        assert api.get(f"/contract?{query}").status_code in {200, 400, 422}, query
        assert api.post(f"/event?{query}", json=event()).status_code in {200, 422}, query
    headers: list[dict[bytes, bytes]] = [
        {b"Content-Length": b"abc"},
        {b"Content-Length": b"-1"},
        {b"Content-Length": b"\xb2"},
        {b"Content-Length": b"9" * 5000},
        {b"Content-Encoding": b"gzip"},
        {b"Accept": b"text/xml"},
        {b"Authorization": b"\xff\xfe"},
        {b"Host": b"\xe9"},
        {b"X-Request-ID": b"x" * 9000},
    ]
    for header in headers:
        answer = api.post("/event", content=EVENT, headers={b"Content-Type": b"application/json"} | header)
        assert answer.status_code in {200, 413, 422}, header
