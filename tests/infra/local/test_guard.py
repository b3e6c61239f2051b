import tempfile
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from infra.local.guard import Guard, Request, SharedArchive
from tests.coroutines import run

TOKEN = "5" * 64
GUARD = Guard(("127.0.0.1", "[::1]"), TOKEN)
HERE = ("host", "127.0.0.1:4566")
KNOWN = ("x-amz-security-token", TOKEN)
PAGE = ("origin", "https://evil.example")


def refusal(*headers: tuple[str, str], method: str = "GET", path: str = "/", query: str = "") -> str | None:
    return GUARD.refusal(Request(method, "http", path, query, headers))


def test_an_allowed_host_is_allowed_on_any_port() -> None:
    for host in ("127.0.0.1", "127.0.0.1:1", "[::1]:4566", "[::1]"):
        assert refusal(("host", host), KNOWN) is None, host
    for host in ("127.0.0.1.evil.example", "evil.example:127.0.0.1", "[::2]", ":4566", ""):
        assert refusal(("host", host), KNOWN) == "it is for another host", host


def test_a_request_with_two_hosts_or_none_is_refused() -> None:
    assert refusal(HERE, HERE, KNOWN) == "it is for another host"
    assert refusal(KNOWN) == "it is for another host"


def test_each_of_several_origins_sites_and_tokens_is_checked() -> None:
    own = ("origin", "http://127.0.0.1:4566")
    assert refusal(HERE, KNOWN, own) is None
    assert refusal(HERE, KNOWN, own, PAGE) == "a page of another origin sent it"
    own, site = ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")
    assert refusal(HERE, KNOWN, own, site) == "a page of another site sent it"
    other = ("x-amz-security-token", "6" * 64)
    assert refusal(HERE, KNOWN, other) == "it does not have the session token of this run"


def test_an_origin_with_another_scheme_is_another() -> None:
    assert refusal(HERE, KNOWN, ("origin", "https://127.0.0.1:4566")) == "a page of another origin sent it"


def test_a_presigned_url_is_for_reading_and_for_this_run() -> None:
    query = f"X-Amz-Signature=1&X-Amz-Security-Token={TOKEN}"
    assert refusal(HERE, PAGE, query=query) is None
    assert refusal(HERE, PAGE, query=query, method="POST") == "a page of another origin sent it"
    assert refusal(HERE, PAGE, query=query[:-1]) == "a page of another origin sent it"
    assert refusal(("host", "evil.example"), query=query) == "it is for another host"


@pytest.mark.parametrize(
    "path", ["/_aws/execute-api/api/", "/_aws/execute-api/api/$default", "/_ministack/ready"]
)
def test_the_gateway_and_the_readiness_check_need_no_token(path: str) -> None:
    assert refusal(HERE, path=path) is None
    assert refusal(HERE, PAGE, path=path) == "a page of another origin sent it"


@pytest.mark.parametrize(
    "path",
    ["/_aws/execute-api/", "/_aws/execute-api/api", "/_aws/execute-api//", "/x/_aws/execute-api/api/", "//"],
)
def test_paths_that_only_resemble_the_gateway_need_the_token(path: str) -> None:
    assert refusal(HERE, path=path) == "it does not have the session token of this run"


def test_with_iam_the_emulator_checks_credentials_itself() -> None:
    guard = Guard(("127.0.0.1",))
    assert guard.refusal(Request("GET", "http", "/", "", [HERE])) is None
    assert guard.refusal(Request("GET", "http", "/", "", [HERE, PAGE])) == "a page of another origin sent it"


def test_a_websocket_is_closed() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("it was let through")

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    run(GUARD.before(app)({"type": "websocket", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_an_archive_is_extracted_once_for_all_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    archives = {name: tmp_path / f"{name}.zip" for name in ("code", "same", "other")}
    for name, archive in archives.items():
        with ZipFile(archive, "w") as written:
            written.writestr("functions/api/handler.py", "other" if name == "other" else "code")
            written.writestr("one.py", "one")
    for worker, archive in archives.items():
        (tmp_path / worker).mkdir()
        with SharedArchive(archive) as read:
            read.extractall(tmp_path / worker)
    handlers = {name: (tmp_path / name / "functions" / "api" / "handler.py") for name in archives}
    assert [handler.read_text() for handler in handlers.values()] == ["code", "code", "other"]
    assert handlers["code"].samefile(handlers["same"])
    assert len(list((tmp_path / "tmp" / "extracted").iterdir())) == 2
