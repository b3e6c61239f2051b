"""What web pages of other sites, and programs without the run's token, get from a local run: nothing."""

import base64
import functools
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from infra.local.stack import Stack
from tests.e2e.conftest import LocalRun

pytestmark = [
    pytest.mark.emulator,  # which the run starts
    pytest.mark.xdist_group("local-run"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes and sockets in /proc"),
]

CREATE = "/2015-03-31/functions"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BROWSER_SECONDS = 60
LIST_TABLES = 'import boto3; print(boto3.client("dynamodb").list_tables()["TableNames"])'
CONTRACT = {"contract_number": "1001", "components": ["energy_supply"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    local_run = LocalRun(tmp_path_factory.mktemp("pages") / "run")
    outputs = local_run.start()
    local_run.drain_output()
    httpx2.post(f"{outputs['api_url']}/contract", json=CONTRACT, timeout=20, trust_env=False)
    try:
        yield local_run
    finally:
        local_run.stop()


@pytest.fixture(scope="module")
def stack(run: LocalRun) -> Stack:
    return Stack.of({"RUN_DIR": str(run.directory)})


def function(name: str) -> dict[str, Any]:
    """A function as a page would make it: code of its own, run on the developer's machine."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("code.py", "def run(event, context): return 'on your machine'")
    return {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Role": "arn:aws:iam::000000000000:role/any",
        "Handler": "code.run",
        "Code": {"ZipFile": base64.b64encode(archive.getvalue()).decode()},
    }


def ask(url: str, method: str, path: str, body: str = "", **headers: str) -> int:
    """Send a request with just these headers; return its status."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = {
            "Host": urlsplit(url).netloc,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode())
        return connection.getresponse().status
    finally:
        connection.close()


FOREIGN: dict[str, dict[str, str]] = {
    "a site": {"Origin": "https://evil.example"},
    "no origin to speak of": {"Origin": "null"},
    "another port of this machine": {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
    "a page that hides its origin": {"Sec_Fetch_Site": "cross-site"},
    "a name that was made to lead here": {"Host": "evil.example", "Origin": "http://evil.example"},
    "such a name with a port": {"Host": "evil.example:8000", "Sec_Fetch_Site": "same-origin"},
    "no host": {"Host": ""},
}


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=list(FOREIGN))
def test_the_emulated_aws_refuses_other_origins_and_hosts(
    run: LocalRun, stack: Stack, headers: dict[str, str]
) -> None:
    url, token = stack.outputs["aws_endpoint_url"], stack.outputs["aws_session_token"]
    for known in ({}, {"X_Amz_Security_Token": token}):
        sent = {"Content_Type": "text/plain", **headers, **known}
        assert ask(url, "POST", CREATE, json.dumps(function("evil")), **sent) == 403
        assert ask(url, "OPTIONS", CREATE, Access_Control_Request_Method="POST", **headers, **known) == 403
        assert ask(url, "GET", f"{CREATE}/evil", **headers, **known) == 403
    assert ask(url, "GET", urlsplit(stack.outputs["gateway_url"]).path + "/health", **headers) == 403
    assert names(stack) & {"evil"} == set()


@pytest.mark.parametrize("token", ["", "0" * 64, "ä"])
def test_the_emulated_aws_refuses_requests_without_the_token_of_the_run(stack: Stack, token: str) -> None:
    url = stack.outputs["aws_endpoint_url"]
    sent = {"X_Amz_Security_Token": token} if token else {}
    for method, path in [
        ("POST", CREATE),
        ("GET", CREATE),
        ("POST", "/_ministack/reset"),
        ("GET", "/_ministack/health"),
        ("POST", "/_aws/execute-api/energy-operations"),
        ("GET", f"/?X-Amz-Security-Token={'0' * 64}"),
    ]:
        assert ask(url, method, path, json.dumps(function("evil")), **sent) == 403, path
    assert names(stack) & {"evil"} == set()


def test_requests_with_the_token_and_callers_of_the_gateway_are_served(stack: Stack) -> None:
    url = stack.outputs["aws_endpoint_url"]
    known = {"X_Amz_Security_Token": stack.outputs["aws_session_token"]}
    assert ask(url, "GET", f"{CREATE}/", **known) == 200
    assert ask(url, "GET", f"{CREATE}/", Host="host.docker.internal:1", **known) == 200  # a container
    path = urlsplit(stack.outputs["gateway_url"]).path
    assert ask(url, "GET", f"{path}/health") == 200
    assert ask(url, "GET", f"{path}/health", Origin=url, Sec_Fetch_Site="same-origin") == 200


def test_a_presigned_download_is_served_from_a_link_on_any_page(stack: Stack) -> None:
    s3, bucket = stack.client("s3"), stack.outputs["export_bucket_name"]
    s3.put_object(Bucket=bucket, Key="exports/a.csv", Body=b"timestamp")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "exports/a.csv"})
    parts = urlsplit(link)
    assert ask(link, "GET", f"{parts.path}?{parts.query}", **FOREIGN["another port of this machine"]) == 200
    assert ask(link, "PUT", f"{parts.path}?{parts.query}", "x", Origin="https://evil.example") == 403


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=list(FOREIGN))
def test_the_api_refuses_other_origins_and_hosts(stack: Stack, headers: dict[str, str]) -> None:
    url = stack.outputs["api_url"]
    assert ask(url, "POST", "/contract/1001/replay", **headers) == 403
    assert ask(url, "GET", "/contract/1001", **headers) == 403


def test_the_api_serves_its_own_pages_and_typed_addresses(stack: Stack) -> None:
    url = stack.outputs["api_url"]
    assert ask(url, "GET", "/docs", Sec_Fetch_Site="none") == 200
    assert ask(url, "POST", "/contract/1001/replay", Origin=url, Sec_Fetch_Site="same-origin") == 200
    assert ask(url, "GET", "/contract/1001", Host=f"localhost:{urlsplit(url).port}") == 200


def test_other_users_of_the_machine_cannot_read_the_data_of_a_run(run: LocalRun) -> None:
    open_to_others = [
        f"{path.relative_to(run.directory)} {stat.filemode(path.stat().st_mode)}"
        for path in (run.directory, *run.directory.rglob("*"))
        if not path.is_symlink() and path.exists() and path.stat().st_mode & 0o077
    ]
    assert open_to_others == []


def test_aws_env_gives_a_shell_the_credentials_of_the_run(run: LocalRun) -> None:
    script = f". {run.directory}/aws.env && exec {sys.executable} -c '{LIST_TABLES}'"
    environment = {"PATH": os.environ["PATH"], "HOME": str(run.directory)}
    listed = subprocess.run(
        ["sh", "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "ContractsTable" in listed.stdout


def names(stack: Stack) -> set[str]:
    return {made["FunctionName"] for made in stack.client("lambda").list_functions()["Functions"]}


PAGE = """<!doctype html><title>a page of another site</title><pre id="seen">not done</pre>
<iframe name="sink"></iframe>
<form id="form" method="post" enctype="text/plain" target="sink" action="AWS/2015-03-31/functions">
<input name='FORM_START' value='FORM_END'></form>
<script>
const seen = [];
const attempt = async (name, url, options) => {
  try {
    const answer = await fetch(url, options);
    seen.push(`${name}: ${answer.type} ${answer.status} ${(await answer.text()).slice(0, 40)}`);
  } catch (error) { seen.push(`${name}: ${error.name}`); }
};
const plain = {"Content-Type": "text/plain"};
(async () => {
  document.getElementById("form").submit();
  for (const mode of ["cors", "no-cors"]) {
    const post = {method: "POST", mode, headers: plain};
    await attempt(`create ${mode}`, "AWS/2015-03-31/functions", {...post, body: JSON.stringify(FUNCTION)});
    await attempt(`invoke ${mode}`, "AWS/2015-03-31/functions/by-fetch/invocations", {...post, body: "{}"});
    await attempt(`list ${mode}`, "AWS/2015-03-31/functions/", {mode});
    await attempt(`replay ${mode}`, "API/contract/1001/replay", {method: "POST", mode});
    await attempt(`read ${mode}`, "API/contract/1001", {mode});
  }
  await attempt("json", "API/contract", {method: "POST", body: "{}", headers: {"Content-Type": "application/json"}});
  await new Promise((resolve) => setTimeout(resolve, 1000));
  document.getElementById("seen").textContent = "done\\n" + seen.join("\\n");
})();
</script>
"""


@pytest.fixture
def page(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """Serve the page from an origin of its own: another port of this machine."""
    form = json.dumps({**function("by-form"), "Description": "="}).replace("'", "&#39;")
    start, _, end = form.partition("=")
    text = PAGE.replace("FORM_START", start).replace("FORM_END", end)
    text = text.replace("FUNCTION", json.dumps(function("by-fetch")))
    text = text.replace("AWS/", f"{stack.outputs['aws_endpoint_url']}/")
    (tmp_path / "index.html").write_text(text.replace("API/", f"{stack.outputs['api_url']}/"))
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing about requests."""


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium: no chromium or google-chrome on the PATH")
def test_a_page_in_a_real_browser_runs_nothing_and_reads_nothing(
    run: LocalRun, stack: Stack, page: str, tmp_path: Path
) -> None:
    shown = dump(page, tmp_path)
    assert "done" in shown, shown
    assert names(stack) & {"by-fetch", "by-form"} == set(), shown
    # "opaque" is all that no-cors shows of an answer, also of a refusal.
    attempts = [line.split(": ")[1] for line in shown.splitlines() if ": " in line]
    assert len(attempts) == 11, shown
    assert set(attempts) == {"TypeError", "opaque 0 "}, shown
    rows = httpx2.get(f"{stack.outputs['api_url']}/contract/1001/events", timeout=20, trust_env=False).json()
    assert "replayed" not in json.dumps(rows)


def dump(page: str, scratch: Path) -> str:
    """Return what a page has written into its `pre` when it has come to rest in a browser."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    options += ["--no-proxy-server", f"--user-data-dir={scratch / 'profile'}"]
    options += ["--virtual-time-budget=20000", "--dump-dom"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(scratch)}
    done = subprocess.run(
        [BROWSER, *options, page],
        env=environment,
        capture_output=True,
        text=True,
        timeout=BROWSER_SECONDS,
        check=True,
    )
    return done.stdout.partition('<pre id="seen">')[2].partition("</pre>")[0]
