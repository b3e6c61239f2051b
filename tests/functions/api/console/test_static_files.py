"""The console's files: what they may load, how they are kept, and that nothing else is served."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.console import files
from infra.build.packaging import ROOT, code_files
from tests.functions.api.test_docs import policy_of

STATIC = Path("functions/api/console/static")
NAMES = sorted(file.relative_to(ROOT / STATIC).as_posix() for file in (ROOT / STATIC).rglob("*.*"))
ASSETS = [name for name in NAMES if name != "index.html"]
FOREVER = "public, max-age=31536000, immutable"
LARGEST_FIRST_VIEW = 100 * 1024
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


def version(api: TestClient) -> str:
    (found,) = set(re.findall(r"ui/assets/([0-9a-f]{16})/", api.get("/ui").text))
    return str(found)


def address(api: TestClient, name: str) -> str:
    return f"/ui/assets/{version(api)}/{name}"


def test_the_page_names_only_files_that_are_there_by_relative_addresses(api: TestClient) -> None:
    page = api.get("/ui")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")

    named = list(re.findall(r'(?:src|href)="([^"#]+)"', page.text))
    assert len(named) > 5
    for name in named:
        assert api.get(urljoin("/ui", name)).status_code == 200, name
        # Right under the stage path of a gateway too.
        assert urljoin("https://gateway.example/prod/ui", name).startswith("https://gateway.example/prod/ui/")


def test_modules_import_each_other_by_relative_addresses_that_are_served(api: TestClient) -> None:
    imported = set()
    for name in ASSETS:
        text = (ROOT / STATIC / name).read_text()
        for target in re.findall(r'(?:from |import\()"([^"]+)"', text):
            assert target.startswith("./" if "/" not in name else ("./", "../")), (name, target)
            imported.add(urljoin(address(api, name), target))
    assert len(imported) > 10
    for target in imported:
        assert api.get(target).status_code == 200, target


def test_every_name_that_a_module_imports_is_exported_and_used() -> None:
    texts = {name: (ROOT / STATIC / name).read_text() for name in ASSETS if name.endswith(".js")}
    exported = {
        name: set(re.findall(r"^export (?:async )?(?:const|let|function|class) (\w+)", text, re.MULTILINE))
        for name, text in texts.items()
    }
    for name, text in texts.items():
        for names, target in re.findall(r'^import \{([^}]+)\} from "([^"]+)"', text, re.MULTILINE):
            for one in filter(None, (part.strip() for part in names.split(","))):
                assert one in exported[urljoin(f"/{name}", target)[1:]], (name, one)
                assert len(re.findall(rf"\b{one}\b", text)) > 1, (name, one)


def test_no_file_names_another_origin() -> None:
    for name in NAMES:
        text = (ROOT / STATIC / name).read_text().replace(SVG_NAMESPACE, "")
        assert not re.search(r"https?://|[\"'(]//|@import|url\(", text.replace("url(#", "")), name


def test_the_policy_allows_scripts_styles_and_requests_of_this_origin_only(api: TestClient) -> None:
    policy = policy_of(api.get("/ui").headers["Content-Security-Policy"])

    assert policy == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "form-action": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }


def test_the_page_and_its_modules_contain_nothing_that_the_policy_would_block(api: TestClient) -> None:
    assert not re.search(
        r"<script>|<script[^>]*>[^<]|<style|\son\w+=|\sstyle=|javascript:", api.get("/ui").text
    )
    for name in ASSETS:
        text = (ROOT / STATIC / name).read_text()
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|[{,] style: (?!.percent|.unit)|srcdoc|DOMParser"
        assert not re.search(forbidden, text), name


def test_the_page_is_asked_for_again_and_its_files_are_kept_for_a_year(api: TestClient) -> None:
    assert api.get("/ui").headers["Cache-Control"] == "no-cache"
    for name in ASSETS:
        assert api.get(address(api, name)).headers["Cache-Control"] == FOREVER, name


def test_a_file_under_the_address_of_another_version_is_served_but_not_kept(api: TestClient) -> None:
    other = api.get(f"/ui/assets/{'0' * 16}/app.js")

    assert other.content == api.get(address(api, "app.js")).content
    assert other.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_what_has_not_changed_is_not_sent_again(api: TestClient, encoding: str) -> None:
    for path in ("/ui", address(api, "app.css")):
        headers = {"Accept-Encoding": encoding}
        etag = api.get(path, headers=headers).headers["ETag"]
        for tag in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
            again = api.get(path, headers=headers | {"If-None-Match": tag})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag), tag
            assert again.headers["Cache-Control"] == api.get(path).headers["Cache-Control"]
        for tag in ('"other"', etag.removeprefix("W/").strip('"'), ""):
            assert api.get(path, headers=headers | {"If-None-Match": tag}).status_code == 200, tag


def test_files_are_compressed_for_those_who_take_that(api: TestClient) -> None:
    path = address(api, "app.js")
    plain = api.get(path, headers={"Accept-Encoding": "identity"})
    small = api.get(path, headers={"Accept-Encoding": "gzip"})

    assert plain.content == small.content == (ROOT / STATIC / "app.js").read_bytes()
    assert ("Content-Encoding" in plain.headers, small.headers["Content-Encoding"]) == (False, "gzip")
    assert plain.headers["Vary"] == small.headers["Vary"] == "Accept-Encoding"


def test_all_files_together_are_less_than_100_kib_compressed(api: TestClient) -> None:
    sizes = {}
    for name in ["", *ASSETS]:
        answer = api.get(address(api, name) if name else "/ui", headers={"Accept-Encoding": "gzip"})
        sizes[name] = int(answer.headers["Content-Length"])
    assert sum(sizes.values()) < LARGEST_FIRST_VIEW, sizes


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Serve a copy of the files that a test may change."""
    copy = tmp_path / "static"
    for name in NAMES:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / STATIC / name).read_bytes())
    monkeypatch.setattr(files, "files", lambda _: tmp_path)
    files.console.cache_clear()
    yield copy
    files.console.cache_clear()


@pytest.mark.parametrize("name", ["app.css", "views/overview.js", "index.html"])
def test_a_changed_file_changes_the_addresses_of_all(api: TestClient, copied: Path, name: str) -> None:
    before, etag = version(api), api.get("/ui").headers["ETag"]
    files.console.cache_clear()
    assert version(api) == before

    (copied / name).write_bytes((copied / name).read_bytes() + b"\n")
    files.console.cache_clear()

    assert version(api) != before
    assert api.get("/ui").headers["ETag"] != etag


def test_content_that_moves_from_one_file_to_another_changes_the_addresses(
    api: TestClient, copied: Path
) -> None:
    (copied / "a.js").write_text("12")
    (copied / "b.js").write_text("3")
    files.console.cache_clear()
    before = version(api)
    (copied / "a.js").write_text("1")
    (copied / "b.js").write_text("23")
    files.console.cache_clear()

    assert version(api) != before


def test_no_other_file_is_served(api: TestClient) -> None:
    here = version(api)
    for name in (
        *("nix.js", "index.html", "APP.JS", "app.js%00", "app.js/", "..%2Froutes.py", "%2e%2e%2froutes.py"),
        *("views", "views/..%2f..%2froutes.py", "..%2f/routes.py", "%2e%2e/routes.py", "..%5croutes.py"),
        *("views/views/overview.js", "/etc/passwd", "%2fetc%2fpasswd"),
    ):
        answer = api.get(f"/ui/assets/{here}/{name}")
        if name == "app.js/":
            assert answer.content == (ROOT / STATIC / "app.js").read_bytes()
        else:
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), name
    assert api.get(f"/ui/assets/{here}/app.js?/../../routes.py").status_code == 422


def test_files_of_other_kinds_are_not_served(api: TestClient, copied: Path) -> None:
    for name in ("notes.txt", "app.js.map", ".env", "script.py"):
        (copied / name).write_text("secret")
    files.console.cache_clear()
    for name in ("notes.txt", "app.js.map", ".env", "script.py"):
        assert api.get(address(api, name)).status_code == 404, name


def test_the_console_with_a_slash_leads_to_the_one_without(api: TestClient) -> None:
    # Its relative addresses would be wrong under the address with a slash.
    answer = api.get("/ui/", follow_redirects=False)

    assert answer.status_code == 308
    for base in ("https://gateway.example/ui/", "https://gateway.example/prod/ui/"):
        assert urljoin(base, answer.headers["Location"]) == base.rstrip("/")


def test_the_files_are_public_even_if_the_api_is_not(closed: None, api: TestClient) -> None:
    rules = {rule for (_, path), rule in ACCESS_RULES.items() if path.startswith("/ui")}
    assert rules == {AccessRule.PUBLIC}
    for path in ("/ui", address(api, "app.js"), address(api, "views/overview.js")):
        assert api.get(path).status_code == 200


def test_the_artifact_of_the_functions_contains_every_file() -> None:
    assert {STATIC / name for name in NAMES} <= set(code_files())
    assert {"app.css", "app.js", "icon.svg", "index.html", "views/overview.js"} <= set(NAMES)
