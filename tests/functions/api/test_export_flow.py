"""Exports from the wish to the file, through the API, the queue and the worker."""

import hashlib
from datetime import UTC, datetime

from fastapi.testclient import TestClient

from domain.readings import Meter, MeterKind
from functions.api import meter_deps
from functions.exporter.handler import handler
from infra import aws
from infra.settings import ExportSettings, settings

HEADER = "timestamp,smart_meter_id,energy_kwh,power_kw,voltage_v,current_a\r\n"
WISH = {
    "smart_meter_id": "123",
    "start_datetime": "2024-01-01T00:00:00Z",
    "end_datetime": "2024-01-01T00:10:00Z",
    "format": "csv",
}


def work() -> None:
    """Let the worker have what is in the queue, once."""
    answer = aws.sqs().receive_message(
        QueueUrl=settings(ExportSettings).export_queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )
    for message in answer.get("Messages", []):
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSource": "aws:sqs",
        }
        failures = handler({"Records": [record]}, None)["batchItemFailures"]  # type: ignore[arg-type]
        if not failures:
            aws.sqs().delete_message(
                QueueUrl=settings(ExportSettings).export_queue_url, ReceiptHandle=message["ReceiptHandle"]
            )


def test_ten_minutes_of_a_simulated_meter_are_a_header_and_ten_rows(api: TestClient) -> None:
    meter_deps._meters().register(Meter("123", MeterKind.SIMULATED, datetime(2024, 1, 1, tzinfo=UTC)))
    created = api.post("/api/export/csv", json=WISH)
    assert created.status_code == 200
    job_id = created.json()["job_id"]
    assert created.json() == {
        "job_id": job_id,
        "status": "pending",
        "message": "Export job created successfully",
    }
    pending = api.get(f"/api/export/status/{job_id}").json()
    assert (pending["status"], pending["message"], pending["progress"]) == (
        "pending",
        "Job is being processed",
        0,
    )
    work()
    done = api.get(f"/api/export/status/{job_id}").json()
    assert (done["status"], done["message"]) == ("completed", "Export completed successfully")
    file = api.get(f"/api/export/download/{job_id}")
    assert file.status_code == 200
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert (
        file.headers["content-disposition"] == 'attachment; filename="smart_meter_123_20240101_20240101.csv"'
    )
    assert file.text.startswith(HEADER)
    assert len(file.text.split("\r\n")) == 12
    info = done["file_info"]
    assert info["record_count"] == 10
    assert info["file_size_bytes"] == len(file.content)
    assert info["sha256"] == hashlib.sha256(file.content).hexdigest()
    assert info["export_period"] == {"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T00:10:00Z"}
    assert info["download_url"] == f"/api/export/download/{job_id}"


def test_stored_readings_come_back_byte_for_byte(api: TestClient) -> None:
    rows = "".join(f"2024-01-01T00:{minute:02}:00Z,m-1,0.10,6.000,230,-0.5\r\n" for minute in range(60))
    sent = api.put("/api/meters/m-1/readings", content=HEADER + rows, headers={"Content-Type": "text/csv"})
    assert sent.json() == {"stored": 60, "updated": 0}
    job_id = api.post("/api/export/csv", json={**WISH, "smart_meter_id": "m-1"}).json()["job_id"]
    work()
    expected = "".join((HEADER + rows).splitlines(keepends=True)[:11])
    assert api.get(f"/api/export/download/{job_id}").text == expected
