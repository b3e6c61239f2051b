"""`make run` as a person uses it: up, used, stopped, and up again with its data."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import httpx2
import pytest

from infra.local.emulator import client_at
from tests.e2e.conftest import LocalRun

CONTAINERS_SEE = "127.0.0.2"
"""Stands in for the address of docker0: another address than that of the emulated AWS, on any Linux."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes and sockets in /proc")


def test_data_survives_a_stop_and_processes_do_not(first_run: LocalRun) -> None:
    outputs = first_run.start()
    for url in (outputs["api_url"], outputs["gateway_url"]):
        answer = httpx2.get(f"{url}/health", timeout=20, trust_env=False)
        assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})
    contract = {"contract_number": "1001", "components": ["energy_supply"]}
    created = httpx2.post(f"{outputs['api_url']}/contract", json=contract, timeout=20, trust_env=False)
    assert created.status_code == 201

    code, out, err = first_run.stop()
    assert (code, err) == (0, "")
    assert "AUTH_MODE=open: callers need no credentials; for local use only" in out
    assert "building the layer of dependencies" in out
    assert not (first_run.directory / "outputs.json").exists()
    assert first_run.left() == []
    logs = {log.name: log.read_text() for log in (first_run.directory / "logs").iterdir()}

    again = first_run.start(BIND_HOST=CONTAINERS_SEE)
    for name in ("api.log", "cloud.log"):
        assert (first_run.directory / "logs" / f"{name}.1").read_text() == logs[name]
    former_token, token = outputs.pop("aws_session_token"), again.pop("aws_session_token")
    assert again == outputs
    assert token != former_token
    read = httpx2.get(f"{again['api_url']}/contract/1001", timeout=20, trust_env=False)
    assert (read.status_code, read.json()) == (200, created.json())

    _signs_urls_in_containers_that_this_machine_can_open(first_run, again, token)
    _listens_on_the_loopback_only(first_run)
    _comes_back_when_its_api_process_is_killed(first_run, again["api_url"])
    code, out, _ = first_run.stop(signal.SIGINT)
    assert code == 0
    assert "building the layer" not in out
    assert first_run.left() == []


def _signs_urls_in_containers_that_this_machine_can_open(
    local_run: LocalRun, outputs: dict[str, str], token: str
) -> None:
    """Sign one as a function in a container does, with its variables and the keys that aws.env exports."""
    variables = json.loads((local_run.directory / "sam-local.json").read_text())["ApiFunction"]
    endpoint = variables["AWS_ENDPOINT_URL"]
    assert endpoint == outputs["aws_endpoint_url"].replace("127.0.0.1", CONTAINERS_SEE)
    s3 = client_at(endpoint, "s3", secret=token)
    bucket = {"Bucket": variables["EXPORT_BUCKET"]}
    s3.put_object(**bucket, Key="file", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={**bucket, "Key": "file"})
    assert httpx2.get(url, trust_env=False).content == b"content"


def _listens_on_the_loopback_only(local_run: LocalRun) -> None:
    """Checked on the run that is up, as a start costs seconds; taken from the kernel's table of sockets."""
    inodes = {
        link.removeprefix("socket:[").removesuffix("]")
        for child in local_run.children()
        for descriptor in Path(f"/proc/{child}/fd").iterdir()
        if (link := str(descriptor.readlink())).startswith("socket:")
    }
    addresses = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                addresses.append(fields[1].split(":")[0])
    assert addresses == ["0100007F", "0100007F"]  # 127.0.0.1: the API's and the emulated AWS's


def _comes_back_when_its_api_process_is_killed(local_run: LocalRun, api_url: str) -> None:
    (api,) = [process for process, command in local_run.children().items() if "uvicorn" in command]
    os.kill(api, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{api_url}/health", trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail("the API did not come back")


def test_a_port_in_use_is_one_line_and_leaves_nothing(local_run: LocalRun) -> None:
    with socket.create_server(("127.0.0.1", local_run.port)):
        _, err = local_run.launch().communicate(timeout=30)
    assert local_run.process is not None
    assert local_run.process.returncode == 1
    assert err == (
        f"error: port {local_run.port} is taken by another process: "
        "stop it, or choose another port with PORT=\n"
    )
    assert local_run.left() == []


def test_an_interrupted_start_is_one_line_and_leaves_nothing(local_run: LocalRun) -> None:
    process = local_run.launch()
    assert process.stdout is not None
    while "starting the emulated AWS" not in process.stdout.readline():
        assert process.poll() is None
    code, _, err = local_run.stop()
    assert (code, err) == (130, "interrupted before the service was ready; nothing is left running\n")
    assert local_run.left() == []
