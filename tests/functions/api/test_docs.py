import re
from urllib.parse import urljoin

from fastapi.testclient import TestClient


def policy_of(header: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (directive.split() for directive in header.split(";"))}


def test_every_file_the_page_names_is_served_by_the_service_itself(api: TestClient) -> None:
    page = api.get("/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")

    named = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(named) == 4
    kinds = {}
    for address in named:
        answer = api.get(urljoin("/docs", address), follow_redirects=False)
        assert answer.status_code == 200, address
        assert answer.content
        kinds[address] = answer.headers["Content-Type"]

    assert kinds == {
        "docs/favicon-32x32.png": "image/png",
        "docs/swagger-ui.css": "text/css; charset=utf-8",
        "docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
        "docs/start.js": "text/javascript; charset=utf-8",
    }


def test_the_page_and_its_script_name_no_absolute_address(api: TestClient) -> None:
    start = api.get("/docs/start.js").text

    assert "//" not in api.get("/docs").text
    assert "//" not in start
    (document,) = re.findall(r'url: "([^"]*)"', start)
    assert api.get(urljoin("/docs", document)).json()["openapi"]


def test_the_page_reads_the_document_under_a_stage_path_too(api: TestClient) -> None:
    (document,) = re.findall(r'url: "([^"]*)"', api.get("/docs/start.js").text)

    assert (
        urljoin("https://gateway.example/prod/docs", document) == "https://gateway.example/prod/openapi.json"
    )


def test_the_policy_of_the_page_allows_no_other_origin(api: TestClient) -> None:
    policy = policy_of(api.get("/docs").headers["Content-Security-Policy"])

    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == ["'self'"]
    assert policy["connect-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert {source for sources in policy.values() for source in sources} == {
        *("'none'", "'self'", "'unsafe-inline'", "data:"),
    }
    assert [name for name, sources in policy.items() if "'unsafe-inline'" in sources] == ["style-src"]
    assert [name for name, sources in policy.items() if "data:" in sources] == ["img-src"]


def test_the_page_has_no_inline_script_or_handler_that_the_policy_would_block(api: TestClient) -> None:
    page = api.get("/docs").text

    assert not re.search(r"<script>|<script[^>]*>[^<]|<style|\son\w+=|javascript:", page)


def test_no_other_file_is_served(api: TestClient) -> None:
    for name in (
        "nix",
        "..%2Fapp.py",
        "%2e%2e%2fapp.py",
        "swagger-ui.css%00",
        "__init__.py",
        "SWAGGER-UI.CSS",
    ):
        assert api.get(f"/docs/{name}").status_code == 404, name
