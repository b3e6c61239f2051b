"""How an answer is sent: without a body to HEAD, compressed, or not at all to whoever has it already."""

import base64
import gzip
import json
from typing import Any
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from functions.api import representations
from functions.api.access import ACCESS_RULES
from functions.api.handler import handler
from tests.conftest import application
from tests.functions.api.calls import create, event, started
from tests.functions.api.people import make_user
from tests.functions.api.test_access import IDS
from tests.functions.api.test_handler import Context, http_api

READS = [path for method, path in ACCESS_RULES if method == "GET"]
DOCUMENT = application().openapi()
PER_REQUEST = {"x-request-id", "x-process-time"}


def lasting(headers: Any) -> dict[str, str]:
    """Return the headers that do not differ from request to request."""
    return {name: value for name, value in headers.items() if name not in PER_REQUEST}


def many(api: TestClient, count: int = 30) -> None:
    contracts = [{"contract_number": f"{n:04}", "components": ["energy_supply"]} for n in range(count)]
    assert api.post("/contracts", json={"contracts": contracts}).status_code == 200


@pytest.mark.slow
def test_head_answers_as_get_does_without_a_body(api: TestClient) -> None:
    for coding in ("identity", "gzip"):
        for address in (path.format(**IDS) for path in READS):
            asked = {"headers": {"Accept-Encoding": coding}, "follow_redirects": False}
            read, head = api.get(address, **asked), api.head(address, **asked)  # type: ignore[arg-type]
            assert (head.status_code, head.content) == (read.status_code, b""), address
            assert lasting(head.headers) == lasting(read.headers), address
            if coding == "identity":
                assert int(head.headers["Content-Length"]) == len(read.content), address


def test_head_needs_the_access_that_get_needs(closed: None, api: TestClient) -> None:
    assert api.head("/contract").status_code == 401
    assert api.head("/health").status_code == 200


def test_where_get_is_not_allowed_head_is_not_either(api: TestClient) -> None:
    answer = api.head("/event")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST", b"")


def test_json_of_a_kibibyte_is_compressed_on_request_and_varies_by_it(api: TestClient) -> None:
    many(api)
    plain = api.get("/contract", headers={"Accept-Encoding": "identity"})
    small = api.get("/contract?limit=1", headers={"Accept-Encoding": "gzip"})
    packed = api.get("/contract", headers={"Accept-Encoding": "br, gzip"})

    assert len(plain.content) > 1024 > len(small.content)
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in small.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 2
    assert packed.json() == plain.json()
    for answer in (plain, packed):
        assert answer.headers["Vary"] == "Accept-Encoding"
    refused = api.get("/contract", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in refused.headers


def test_many_verdicts_and_many_mistakes_are_compressed_too(api: TestClient) -> None:
    for path, body in (("/events", {"events": [{}] * 30}), ("/event", {f"field{n}": n for n in range(30)})):
        answer = api.post(path, json=body, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip", path


def test_the_gateway_gets_a_compressed_answer_as_base64_and_a_plain_one_as_text(cloud: None) -> None:
    for method, path, body in [
        *(
            ("POST", "/contract", {"contract_number": f"{n}", "components": ["energy_supply"]})
            for n in range(20)
        ),
    ]:
        sent = http_api(
            method, path, "", {"content-type": "application/json", "host": "api"}, json.dumps(body)
        )
        assert handler(sent, Context())["statusCode"] == 201
    plain = handler(http_api("GET", "/contract", "", {"host": "api"}, None), Context())
    packed = handler(
        http_api("GET", "/contract", "", {"host": "api", "accept-encoding": "gzip"}, None), Context()
    )
    assert (plain["isBase64Encoded"], packed["isBase64Encoded"]) == (False, True)
    assert gzip.decompress(base64.b64decode(packed["body"])).decode() == plain["body"]
    assert packed["headers"]["content-encoding"] == "gzip"
    head = handler(http_api("HEAD", "/contract", "", {"host": "api"}, None), Context())
    assert (head["statusCode"], head["body"], head["isBase64Encoded"]) == (200, "", False)


def answers_with_secrets() -> set[str]:
    """Return the operations whose answers contain credentials, by the document."""
    secret = {"access_token", "refresh_token", "key"}
    found = set()
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            for status in ("200", "201"):
                content = operation["responses"].get(status, {}).get("content", {})
                name = (
                    content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
                )
                fields = set(DOCUMENT["components"]["schemas"].get(name, {}).get("properties", {}))
                if fields & secret and method == "post":
                    found.add(path)
    return found


def test_answers_with_credentials_are_never_compressed(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What an attacker can put into an answer must not change the length of a secret beside it.
    assert answers_with_secrets() == {
        *("/token", "/api/v1/auth/login", "/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/api-keys"),
    }
    monkeypatch.setattr(representations, "_MIN_COMPRESSED_BYTES", 1)
    make_user("ada")
    packed = {"Accept-Encoding": "gzip"}
    login = {"username": "ada", "password": "correct horse battery"}
    for path in ("/token", "/api/v1/auth/login", "/api/v1/auth/token"):
        answer = api.post(path, json=login, headers=packed)
        assert (answer.status_code, answer.headers.get("Content-Encoding")) == (200, None)
    tokens = answer.json()
    shown = packed | {"Authorization": f"Bearer {tokens['access_token']}"}
    key = api.post("/api/v1/api-keys", json={"name": "x"}, headers=shown)
    assert (key.status_code, key.headers.get("Content-Encoding")) == (201, None)
    body = {"refresh_token": tokens["refresh_token"]}
    again = api.post("/api/v1/auth/refresh", json=body, headers=packed)
    assert (again.status_code, again.headers.get("Content-Encoding")) == (200, None)
    assert api.get("/health", headers=packed).headers["Content-Encoding"] == "gzip"


def test_who_has_an_answer_already_gets_304_until_it_changes(api: TestClient) -> None:
    create(api)
    for path in ("/contract", "/contract/1001", "/contract/1001/contract_timeline", "/portfolio/counts", "/"):
        first = api.get(path)
        tag = first.headers["ETag"]
        assert tag.startswith('W/"')
        for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
            again = api.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), (path, known)
            assert again.headers["ETag"] == tag
            assert again.headers["Cache-Control"] == "no-store"
            assert not [
                name for name in again.headers if name.startswith("content-") and "policy" not in name
            ]
        for known in ('"x"', "", tag[:-3] + '"', "W/"):
            assert api.get(path, headers={"If-None-Match": known}).status_code == 200, (path, known)

    tag = api.get("/contract/1001/contract_timeline").headers["ETag"]
    api.post("/event", json=event())
    changed = api.get("/contract/1001/contract_timeline", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_an_answer_has_the_same_tag_compressed_or_not_and_to_head(api: TestClient) -> None:
    many(api)
    tags = {
        api.get("/contract", headers={"Accept-Encoding": coding}).headers["ETag"] for coding in ("gzip", "x")
    }
    assert tags == {api.head("/contract").headers["ETag"]}
    assert api.head("/contract", headers={"If-None-Match": tags.pop()}).status_code == 304


def test_errors_and_writes_have_no_tag(api: TestClient) -> None:
    create(api)
    answers = [api.get("/contract/9999"), api.get("/nix"), api.post("/event", json=event())]
    assert not [answer for answer in answers if "ETag" in answer.headers]
    assert api.get("/contract/9999", headers={"If-None-Match": "*"}).status_code == 404


def test_the_files_of_the_documentation_are_compressed_and_need_not_be_sent_again(api: TestClient) -> None:
    path = "/docs/swagger-ui.css"
    first = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert first.headers["Content-Encoding"] == "gzip"
    assert first.headers["Cache-Control"] == "public, max-age=86400"
    again = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "public, max-age=86400")
    assert (
        "Content-Encoding"
        not in api.get("/docs/favicon-32x32.png", headers={"Accept-Encoding": "gzip"}).headers
    )


def test_a_page_of_another_origin_reads_the_tag_and_the_next_page(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "https://app.example.com"
    api = started(monkeypatch, ALLOWED_ORIGINS=page)
    asked = {"Origin": page, "Access-Control-Request-Method": "HEAD"}
    asked["Access-Control-Request-Headers"] = "if-none-match,x-request-id"

    assert api.options("/contract", headers=asked).status_code == 200
    answer = api.get("/contract", headers={"Origin": page})
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert exposed == {
        *("ETag", "Link", "Retry-After", "X-Client-Request-ID", "X-Process-Time", "X-Request-ID"),
    }
    again = api.get("/contract", headers={"Origin": page, "If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.headers["Access-Control-Allow-Origin"]) == (304, page)


LISTS = [
    path
    for path, item in DOCUMENT["paths"].items()
    if any(parameter["name"] == "cursor" for parameter in item.get("get", {}).get("parameters", []))
]


def test_every_page_says_that_there_is_no_next_one(api: TestClient) -> None:
    schemas = DOCUMENT["components"]["schemas"]
    paged = [name for name, schema in schemas.items() if "next_cursor" in schema.get("properties", {})]
    assert len(paged) >= len(LISTS) > 8
    for name in paged:
        assert "next_cursor" in schemas[name]["required"], name
    for path in LISTS:
        queries = {"/api/meters/{smart_meter_id}/readings/history": {"timestamp": "2024-01-01T00:00:00Z"}}
        create(api, "1001") if path == LISTS[0] else None
        api.put("/api/meters/123", json={})
        answer = api.get(path.format(**IDS), params=queries.get(path, {}))
        assert (answer.status_code, answer.json().get("next_cursor", "missing")) == (200, None), path
        assert "Link" not in answer.headers, path


def test_the_next_page_is_a_link_relative_to_the_page_under_any_address(api: TestClient) -> None:
    many(api, 7)
    address, seen, pages = "/contract?limit=3", [], 0
    while True:
        answer = api.get(address)
        seen += [item["contract_number"] for item in answer.json()["items"]]
        pages += 1
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
        assert answer.headers["Link"] == f'<?limit=3&cursor={cursor}>; rel="next"'
        url = answer.links["next"]["url"]
        assert urljoin("https://gateway.example/prod/contract?limit=3", url) == (
            f"https://gateway.example/prod/contract?limit=3&cursor={cursor}"
        )
        address = urljoin(address, url)
    assert (seen, pages) == ([f"{n:04}" for n in range(7)], 3)
    assert "Link" not in answer.headers


def test_the_link_keeps_what_was_asked_for_and_cannot_be_broken_out_of(api: TestClient) -> None:
    body = {"readings": [{"timestamp": f"2024-01-01T0{n}:00:00+00:00", "energy_kwh": n} for n in range(4)]}
    assert api.put("/api/meters/m/readings", json=body).status_code == 200
    query = {"start": "2024-01-01T01:00:00+01:00", "resolution": "hour", "tz": "Europe/Berlin", "limit": "1"}
    first = api.get("/api/meters/m/readings", params=query)
    cursor = first.json()["next_cursor"]
    target = "start=2024-01-01T01%3A00%3A00%2B01%3A00&resolution=hour&tz=Europe%2FBerlin&limit=1"
    assert first.headers["Link"] == f'<?{target}&cursor={cursor}>; rel="next"'
    second = api.get(urljoin("/api/meters/m/readings", first.links["next"]["url"]))
    assert second.json()["items"][0]["energy_kwh"] == 1
