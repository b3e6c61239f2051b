"""Exports on an emulated AWS that lets each function do only what its role allows."""

import gzip
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from rich.console import Console

from infra.commands.command_error import CommandError
from infra.local import sample_meters
from infra.local.stack import api_url
from infra.operate.export import export
from tests.e2e.conftest import Deployed

WEEK = {"start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-08T00:00:00Z", "format": "csv"}
WAIT_SECONDS = 90


@dataclass
class Gateway:
    """The API as the emulated API Gateway and Lambda serve it."""

    http: httpx2.Client
    outputs: dict[str, str]
    dynamodb: Any
    sqs: Any

    def ask(self, meter_id: str, **changes: Any) -> str:
        """Ask for an export; return the job's id."""
        answer = self.http.post("/api/export/csv", json={"smart_meter_id": meter_id, **WEEK, **changes})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["job_id"])

    def wait(self, job_id: str) -> dict[str, Any]:
        """Wait until a job is not pending any more; return its status."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            status: dict[str, Any] = self.http.get(f"/api/export/status/{job_id}").json()
            if status["status"] != "pending":
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.2)


@pytest.fixture(scope="module")
def gateway(deployed: Deployed) -> Iterator[Gateway]:
    cloud, outputs = deployed
    # The emulator has no TLS, and the bucket policy refuses requests without TLS.
    cloud.client("s3").delete_bucket_policy(Bucket=outputs["export_bucket_name"])
    for _ in range(2):  # the second changes nothing
        sample_meters.seed(cloud.client("dynamodb"), outputs)
    with httpx2.Client(base_url=outputs["gateway_url"], timeout=60) as http:
        yield Gateway(http, outputs, cloud.client("dynamodb"), cloud.client("sqs"))


def test_five_exports_at_once_are_five_files(gateway: Gateway) -> None:
    wanted = [sample_meters.METERED, sample_meters.SIMULATED] * 2 + [sample_meters.METERED]
    for job_id in [gateway.ask(meter_id) for meter_id in wanted]:
        status = gateway.wait(job_id)
        assert status["status"] == "completed", status
        file = gateway.http.get(f"/api/export/download/{job_id}")
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        assert len(file.content.splitlines()) == 1 + status["file_info"]["record_count"] == 10_081
        assert hashlib.sha256(file.content).hexdigest() == status["file_info"]["sha256"]


def test_the_command_saves_a_file_and_shows_how_much_has_arrived(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"METER": sample_meters.METERED, "START": WEEK["start_datetime"], "END": WEEK["end_datetime"]}
    console = Console(record=True, force_terminal=True, width=120, file=io.StringIO())
    assert export(gateway.outputs["gateway_url"], {**order, "FOLDER": str(tmp_path)}, console) == 0
    (file,) = tmp_path.iterdir()
    assert file.name == "smart_meter_sample-1_20240101_20240108.csv"
    assert file.read_bytes().count(b"\r\n") == 10_081
    assert "10,080 readings" in capsys.readouterr().out
    shown = console.export_text()
    assert re.search(r"download +\S+ +100% +584\.8/584\.8 kB", shown), shown


def test_periods_are_exported_in_the_given_zone(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"METER": "123", "START": "2024-03-30T23:00:00Z", "END": "2024-04-01T22:00:00Z"}
    order |= {"RESOLUTION": "day", "EXPORT_TZ": "Europe/Berlin", "FOLDER": str(tmp_path)}
    export(gateway.outputs["gateway_url"], order, Console())
    assert "2 periods" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("meter_id", "start", "end", "message"),
    [
        ("nobody", "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "Smart meter 'nobody' not found"),
        ("123", "2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z", "end_datetime: must be after start_datetime"),
        ("123", "soon", "later", "start_datetime: must be an instant such as 2024-01-31T12:00:00Z"),
    ],
)
def test_an_error_of_the_command_is_one_line(
    gateway: Gateway, tmp_path: Path, meter_id: str, start: str, end: str, message: str
) -> None:
    order = {"METER": meter_id, "START": start, "END": end, "FOLDER": str(tmp_path)}
    with pytest.raises(CommandError, match=f"^{re.escape(message)}$"):
        export(gateway.outputs["gateway_url"], order, Console())
    assert list(tmp_path.iterdir()) == []


def test_without_a_running_service_the_commands_say_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="start one with `make run`"):
        api_url({"RUN_DIR": str(tmp_path)})


def test_a_large_file_is_at_a_signed_url(gateway: Gateway) -> None:
    job_id = gateway.ask(sample_meters.SIMULATED, end_datetime="2024-06-01T00:00:00Z")
    info = gateway.wait(job_id)["file_info"]
    redirect = gateway.http.get(f"/api/export/download/{job_id}", follow_redirects=False)
    assert redirect.status_code == 307
    file = httpx2.get(redirect.headers["location"])
    assert file.headers["content-disposition"] == f'attachment; filename="{info["filename"]}"'
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert hashlib.sha256(file.content).hexdigest() == info["sha256"]


def test_the_gateway_passes_a_compressed_answer(gateway: Gateway) -> None:
    job_id = gateway.ask(sample_meters.METERED)
    info = gateway.wait(job_id)["file_info"]
    path = f"/api/export/download/{job_id}"
    with gateway.http.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        content = gzip.decompress(b"".join(answer.iter_raw()))
    assert hashlib.sha256(content).hexdigest() == info["sha256"]


def test_uploads_are_stored_merged_and_shown(gateway: Gateway) -> None:
    reading = {"energy_kwh": 0.1, "power_kw": 1, "voltage_v": 230, "current_a": 4}
    sent = [{"timestamp": f"2024-01-01T{hour:02}:00:00Z", **reading} for hour in range(24)]
    path = "/api/meters/uploaded/readings"
    answer = gateway.http.put(path, json={"readings": sent}).json()
    assert (answer["received"], answer["stored"], answer["updated"]) == (24, 24, 0)
    sent[0]["energy_kwh"] = 0.2
    answer = gateway.http.put(path, json={"readings": sent}).json()
    assert (answer["stored"], answer["updated"], answer["unchanged"]) == (0, 1, 23)
    (day,) = gateway.http.get(path, params={"resolution": "day"}).json()["items"]
    assert (day["energy_kwh"], day["readings"]) == (2.5, 24)
    listed = gateway.http.get("/api/meters").json()["items"]
    assert [meter["smart_meter_id"] for meter in listed] == ["123", "sample-1", "uploaded"]


def test_a_cancelled_job_and_a_job_of_an_unknown_meter_get_their_status(gateway: Gateway) -> None:
    unknown = gateway.ask("unheard-of")
    assert gateway.wait(unknown)["error"]["code"] == "SMART_METER_NOT_FOUND"
    job_id = gateway.ask(sample_meters.SIMULATED, end_datetime="2024-12-31T00:00:00Z")
    assert gateway.http.delete(f"/api/export/{job_id}").json() == {"status": "cancelled"}
    assert gateway.wait(job_id)["status"] == "cancelled"
    history = gateway.http.get("/api/export/history/unheard-of").json()["items"]
    assert [job["job_id"] for job in history] == [unknown]


def test_malformed_messages_in_the_queue_block_no_export(gateway: Gateway) -> None:
    url = gateway.outputs["export_queue_url"]
    for body in ("garbage", "{}", json.dumps({"job_id": "nobody-knows"})):
        gateway.sqs.send_message(QueueUrl=url, MessageBody=body)
    assert gateway.wait(gateway.ask(sample_meters.METERED))["status"] == "completed"
