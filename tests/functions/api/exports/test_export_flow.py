"""Exports from the order to the file, through the API, the queue and the worker."""

import gzip
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError
from fastapi.testclient import TestClient

from domain.exports import UNSENT_AFTER
from domain.meters.readings import Meter, MeterKind
from functions.api.exports import exports
from functions.exporter import sweep
from functions.exporter.handler import handler
from infra import aws
from infra.settings import ExportSettings, settings
from infra.stores import stores

HEADER = "timestamp,smart_meter_id,energy_kwh,power_kw,voltage_v,current_a\r\n"
ORDER = {
    "smart_meter_id": "123",
    "start_datetime": "2024-01-01T00:00:00Z",
    "end_datetime": "2024-01-01T00:10:00Z",
    "format": "csv",
}

Work = Callable[[], None]


@pytest.fixture
def work(api: TestClient) -> Callable[[], None]:
    """Return what lets the worker have the messages that are in the queue."""

    def receive_and_handle() -> None:
        url = settings(ExportSettings).export_queue_url
        answer = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        for message in answer.get("Messages", []):
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            assert handler({"Records": [record]}, None) == {"batchItemFailures": []}  # type: ignore[arg-type]
            aws.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    return receive_and_handle


@pytest.fixture(autouse=True)
def simulated_meter(api: TestClient) -> None:
    stores().meters.register(Meter("123", MeterKind.SIMULATED, datetime(2024, 1, 1, tzinfo=UTC)))


def ask(api: TestClient, **changes: Any) -> str:
    answer = api.post("/api/export/csv", json=ORDER | changes)
    assert answer.status_code == 200
    return str(answer.json()["job_id"])


def test_ten_minutes_of_a_simulated_meter_are_a_header_and_ten_rows(api: TestClient, work: Work) -> None:
    created = api.post("/api/export/csv", json=ORDER)
    assert created.status_code == 200
    job_id = created.json()["job_id"]
    assert created.json() == {
        "job_id": job_id,
        "status": "pending",
        "message": "Export job created successfully",
    }
    pending = api.get(f"/api/export/status/{job_id}").json()
    assert set(pending) == {"job_id", "status", "message", "created_at", "updated_at", "progress"}
    assert (pending["status"], pending["message"], pending["progress"]) == (
        "pending",
        "Job is being processed",
        0,
    )
    work()
    done = api.get(f"/api/export/status/{job_id}").json()
    assert (done["status"], done["message"]) == ("completed", "Export completed successfully")
    file = api.get(f"/api/export/download/{job_id}", headers={"Accept-Encoding": "identity"})
    assert file.status_code == 200
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    name = "smart_meter_123_20240101_20240101.csv"
    assert file.headers["content-disposition"] == f'attachment; filename="{name}"'
    lines = file.content.split(b"\r\n")
    assert lines[0] == HEADER.strip().encode()
    assert len(lines) == 12
    assert lines[-1] == b""
    assert done["file_info"] == {
        "filename": name,
        "download_url": f"/api/export/download/{job_id}",
        "file_size_bytes": len(file.content),
        "record_count": 10,
        "export_period": {"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T00:10:00Z"},
        "sha256": hashlib.sha256(file.content).hexdigest(),
        "expires_at": done["file_info"]["expires_at"],
    }


def test_stored_readings_come_back_byte_for_byte(api: TestClient, work: Work) -> None:
    rows = "".join(f"2024-01-01T00:{minute:02}:00Z,m-1,0.10,6.000,230,-0.5\r\n" for minute in range(60))
    sent = api.put("/api/meters/m-1/readings", content=HEADER + rows, headers={"Content-Type": "text/csv"})
    assert (sent.json()["received"], sent.json()["stored"]) == (60, 60)
    job_id = ask(api, smart_meter_id="m-1")
    work()
    expected = "".join((HEADER + rows).splitlines(keepends=True)[:11])
    assert api.get(f"/api/export/download/{job_id}").text == expected


def test_an_offset_names_the_same_rows_as_utc(api: TestClient, work: Work) -> None:
    in_utc = ask(api)
    elsewhere = ask(api, start_datetime="2024-01-01T02:00:00+02:00", end_datetime="2024-01-01T02:10:00+02:00")
    work()
    files = [api.get(f"/api/export/download/{job_id}").content for job_id in (in_utc, elsewhere)]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0", False),
    ],
)
def test_a_file_is_compressed_for_those_who_take_that(
    api: TestClient, work: Work, accepted: str, compressed: bool
) -> None:
    job_id = ask(api, end_datetime="2024-01-01T01:00:00Z")
    work()
    with api.stream("GET", f"/api/export/download/{job_id}", headers={"Accept-Encoding": accepted}) as file:
        raw = b"".join(file.iter_raw())
        assert file.headers["vary"] == "Accept-Encoding"
        assert ("content-encoding" in file.headers) is compressed
    content = gzip.decompress(raw) if compressed else raw
    info = api.get(f"/api/export/status/{job_id}").json()["file_info"]
    assert hashlib.sha256(content).hexdigest() == info["sha256"]


def test_a_file_too_large_for_a_lambda_is_at_a_url_signed_at_that_moment(
    api: TestClient, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_INLINE_BYTES", 100)
    job_id = ask(api)
    work()
    answer = api.get(f"/api/export/download/{job_id}", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["cache-control"] == "no-store"
    url = urlsplit(answer.headers["location"])
    query = parse_qs(url.query)
    assert url.hostname == "exports.s3.eu-central-1.amazonaws.com"
    assert url.path == f"/exports/{job_id}/1/smart_meter_123_20240101_20240101.csv"
    assert query["X-Amz-Expires"] == ["300"]
    assert query["response-content-type"] == ["text/csv; charset=utf-8"]
    assert query["response-content-disposition"] == [
        'attachment; filename="smart_meter_123_20240101_20240101.csv"'
    ]


def test_an_unknown_meter_is_a_failed_job(api: TestClient, work: Work) -> None:
    job_id = ask(api, smart_meter_id="nobody")
    work()
    failed = api.get(f"/api/export/status/{job_id}").json()
    assert (failed["status"], failed["message"]) == ("failed", "Export failed")
    assert failed["error"]["code"] == "SMART_METER_NOT_FOUND"
    assert set(failed["error"]) == {"code", "message", "details"}
    download = api.get(f"/api/export/download/{job_id}")
    assert (download.status_code, download.json()["code"]) == (404, "export_not_ready")


def test_a_cancelled_job_stays_cancelled(api: TestClient, work: Work) -> None:
    job_id = ask(api)
    cancelled = api.delete(f"/api/export/{job_id}")
    assert (cancelled.status_code, cancelled.json()) == (200, {"status": "cancelled"})
    again = api.delete(f"/api/export/{job_id}")
    assert (again.status_code, again.json()["code"]) == (409, "export_finished")
    work()
    assert api.get(f"/api/export/status/{job_id}").json()["status"] == "cancelled"
    assert api.get(f"/api/export/download/{job_id}").status_code == 404


def test_a_completed_job_cannot_be_cancelled(api: TestClient, work: Work) -> None:
    job_id = ask(api)
    work()
    assert api.delete(f"/api/export/{job_id}").status_code == 409


@pytest.mark.parametrize(
    "job_id", ["nobody", "x" * 3000, "2f1f2a9e-0000-4000-8000-000000000000", "%F0%9F%98%80"]
)
def test_a_job_that_there_is_not(api: TestClient, job_id: str) -> None:
    status = api.get(f"/api/export/status/{job_id}")
    assert status.status_code == 200
    assert set(status.json()) == {"status", "message"}
    assert status.json()["status"] == "not_found"
    assert status.json()["message"].startswith("Job with ID '")
    for answer in (api.get(f"/api/export/download/{job_id}"), api.delete(f"/api/export/{job_id}")):
        assert (answer.status_code, answer.json()["code"]) == (404, "export_not_found")


def test_an_expired_file_is_gone(api: TestClient, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = ask(api)
    work()
    monkeypatch.setattr(exports, "utc_now", lambda: datetime.now(UTC) + timedelta(days=7))
    assert api.get(f"/api/export/status/{job_id}").json()["status"] == "expired"
    download = api.get(f"/api/export/download/{job_id}")
    assert (download.status_code, download.json()["code"]) == (410, "export_expired")


def test_a_file_that_somebody_deleted_is_gone(api: TestClient, work: Work) -> None:
    job_id = ask(api)
    work()
    (file,) = aws.s3().list_objects_v2(Bucket="exports")["Contents"]
    aws.s3().delete_object(Bucket="exports", Key=file["Key"])
    assert api.get(f"/api/export/download/{job_id}").status_code == 410


def test_a_job_that_could_not_be_sent_is_made_all_the_same(api: TestClient, work: Work) -> None:
    def break_off(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sqs")

    events = aws.sqs().meta.events
    events.register("before-call.sqs.SendMessage", break_off)
    job_id = ask(api)
    events.unregister("before-call.sqs.SendMessage", break_off)
    sweep.sweep(stores().exports, stores().export_queue, datetime.now(UTC) + UNSENT_AFTER)
    work()
    assert api.get(f"/api/export/status/{job_id}").json()["status"] == "completed"


def test_the_same_idempotency_key_is_the_same_job(api: TestClient) -> None:
    key = {"Idempotency-Key": "order-1"}
    first, second = (api.post("/api/export/csv", json=ORDER, headers=key).json() for _ in range(2))
    assert first == second
    assert len(api.get("/api/export/history/123").json()["items"]) == 1
    other = api.post("/api/export/csv", json=ORDER | {"smart_meter_id": "124"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_refused_order_leaves_its_key_unused(api: TestClient) -> None:
    key = {"Idempotency-Key": "order-1"}
    refused = api.post("/api/export/csv", json=ORDER | {"end_datetime": "2099-01-01T00:00:00Z"}, headers=key)
    assert refused.status_code == 400
    assert api.post("/api/export/csv", json=ORDER, headers=key).status_code == 200


def test_history_is_newest_first_and_paged(api: TestClient, work: Work) -> None:
    ids = [ask(api) for _ in range(5)]
    ask(api, smart_meter_id="other")
    work()
    seen: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = api.get("/api/export/history/123", params=query).json()
        seen += page["items"]
        assert len(page["items"]) <= 2
        if (cursor := page["next_cursor"]) is None:
            break
    assert [item["job_id"] for item in seen] == ids[::-1]
    assert {item["status"] for item in seen} == {"completed"}
    assert seen[0]["smart_meter_id"] == "123"
    assert "file_info" in seen[0]


def test_the_history_of_a_meter_that_there_is_not_is_empty(api: TestClient) -> None:
    ask(api)
    assert api.get("/api/export/history/nobody").json() == {"items": [], "next_cursor": None}


def test_a_cursor_of_another_history_is_refused(api: TestClient) -> None:
    ask(api)
    ask(api)
    cursor = api.get("/api/export/history/123", params={"limit": "1"}).json()["next_cursor"]
    answer = api.get("/api/export/history/124", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"smart_meter_id": ""}, "smart_meter_id"),
        ({"smart_meter_id": 123}, "smart_meter_id"),
        ({"smart_meter_id": "=cmd"}, "smart_meter_id"),
        ({"smart_meter_id": "x" * 65}, "smart_meter_id"),
        ({"smart_meter_id": None}, "smart_meter_id"),
        ({"start_datetime": "yesterday"}, "start_datetime"),
        ({"start_datetime": 1704067200}, "start_datetime"),
        ({"start_datetime": "2024-01-01"}, "start_datetime"),
        (
            {"start_datetime": "2099-01-01T00:00:00Z", "end_datetime": "2099-01-02T00:00:00Z"},
            "start_datetime",
        ),
        ({"end_datetime": "2023-12-31T00:00:00Z"}, "end_datetime"),
        ({"end_datetime": "2024-01-01T00:00:00Z"}, "end_datetime"),
        ({"end_datetime": "2024-01-01T00:00:59Z"}, "end_datetime"),
        ({"end_datetime": "2025-01-01T00:00:01Z"}, "end_datetime"),
        ({"end_datetime": "2099-01-01T00:00:00Z"}, "end_datetime"),
        ({"format": "json"}, "format"),
        ({"format": "CSV"}, "format"),
        ({"format": None}, "format"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_bad_order_is_a_400_that_names_the_field(
    api: TestClient, changes: dict[str, Any], field: str
) -> None:
    answer = api.post("/api/export/csv", json=ORDER | changes)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [detail["field"] for detail in answer.json()["details"]] == [field]
    assert api.get("/api/export/history/123").json()["items"] == []


@pytest.mark.parametrize("missing", ["smart_meter_id", "start_datetime", "end_datetime"])
def test_a_missing_field_is_named(api: TestClient, missing: str) -> None:
    answer = api.post("/api/export/csv", json={name: ORDER[name] for name in ORDER if name != missing})
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == missing


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"1", b"\xff", b"[" * 100_000])
def test_malformed_json_is_a_400(api: TestClient, body: bytes) -> None:
    answer = api.post("/api/export/csv", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


def test_an_export_may_have_more_columns_and_what_was_known(api: TestClient, work: Work) -> None:
    path = "/api/meters/m-1/readings"
    entry = {"timestamp": "2024-01-01T00:00:00Z", "energy_kwh": "0.10"}
    made = {"created_at": "2024-02-01T00:00:00Z"}
    api.put(path, json={"readings": [entry | {"quality": "estimated"}]} | made)
    api.put(path, json={"readings": [entry | {"energy_kwh": 7}]})
    with_columns = ask(api, smart_meter_id="m-1", columns=["created_at", "quality"])
    before = ask(api, smart_meter_id="m-1", known_at="2024-01-01T00:00:00Z")
    work()
    header, row, _ = api.get(f"/api/export/download/{with_columns}").text.split("\r\n")
    assert header.endswith(",current_a,created_at,quality")
    assert row.startswith("2024-01-01T00:00:00Z,m-1,7,,,,20")
    assert row.endswith("Z,measured")
    assert api.get(f"/api/export/download/{before}").text == HEADER


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"columns": ["quality", "quality"]}, "columns"),
        ({"columns": ["colour"]}, "columns.0"),
        ({"columns": "quality"}, "columns"),
        ({"known_at": "2100-01-01T00:00:00Z"}, "known_at"),
        ({"known_at": "now"}, "known_at"),
        ({"resolution": "week"}, "resolution"),
        ({"resolution": "day", "tz": "Berlin"}, "tz"),
        ({"resolution": "day", "columns": ["quality"]}, "columns"),
    ],
)
def test_bad_columns_and_instants_are_named(api: TestClient, changes: Any, field: str) -> None:
    answer = api.post("/api/export/csv", json=ORDER | changes)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field)


def test_a_large_file_that_is_gone_before_its_time_is_expired(
    api: TestClient, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_INLINE_BYTES", 100)
    job_id = ask(api)
    work()
    assert api.get(f"/api/export/download/{job_id}", follow_redirects=False).status_code == 307
    for file in aws.s3().list_objects_v2(Bucket="exports")["Contents"]:
        aws.s3().delete_object(Bucket="exports", Key=file["Key"])
    answer = api.get(f"/api/export/download/{job_id}", follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (410, "export_expired")


def test_an_export_by_local_day_has_a_line_for_each_day(api: TestClient, work: Work) -> None:
    days = {"start_datetime": "2024-03-30T23:00:00Z", "end_datetime": "2024-04-01T22:00:00Z"}
    job_id = ask(api, **days, resolution="day", tz="Europe/Berlin")
    work()
    header, *rows, rest = api.get(f"/api/export/download/{job_id}").text.split("\r\n")
    assert (header + "\r\n", rest) == (HEADER.replace("\r\n", ",readings\r\n"), "")
    assert [(row.split(",")[0], row.split(",")[6]) for row in rows] == [
        ("2024-03-31T00:00:00+01:00", "1380"),
        ("2024-04-01T00:00:00+02:00", "1440"),
    ]


def test_a_zone_that_cannot_be_summed_up_then_is_refused_when_asked(api: TestClient) -> None:
    days = {"start_datetime": "2010-11-06T00:00:00Z", "end_datetime": "2010-11-09T00:00:00Z"}
    answer = api.post("/api/export/csv", json=ORDER | days | {"resolution": "day", "tz": "America/St_Johns"})
    assert (answer.status_code, answer.json()["code"]) == (400, "time_zone_unsupported")
    assert api.post("/api/export/csv", json=ORDER | days | {"tz": "America/St_Johns"}).status_code == 200
