"""Contracts out, as csv and ndjson, on the jobs of exports."""

import hashlib
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from functions.exporter import handler as exporter
from infra.stores import stores
from tests.conftest import forget
from tests.functions.api.calls import send

SUPPLY, BATTERY = "energy_supply", "battery_optimization"


@pytest.fixture
def contracts(api: TestClient) -> None:
    made = [
        {"contract_number": number, "components": [SUPPLY, BATTERY], "created_at": "2023-01-01T00:00:00Z"}
        for number in ("b", "a", "c")
    ]
    assert api.post("/contracts", json={"contracts": made}).status_code == 200
    send(api, contract_number="a", date="2024-01-01", created_at="2023-12-01T00:00:00Z", id="first")
    send(api, contract_number="a", date="2024-01-01", created_at="2023-12-01T00:00:00Z")
    send(
        api,
        type="supply_energy_end",
        contract_number="a",
        date="2024-06-30",
        created_at="2023-12-02T00:00:00Z",
    )
    send(api, contract_number="b", date="2024-05-01", created_at="2023-12-01T00:00:00Z")
    api.delete("/contract/c")


def job_of(api: TestClient, **order: Any) -> str:
    answer = api.post("/api/export/contracts", json=order)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "pending"
    return str(answer.json()["job_id"])


def export(api: TestClient, **order: Any) -> str:
    """Ask for a file, let the worker make it, and download it."""
    job_id = job_of(api, **order)
    exporter.worker().run(job_id, is_last_receive=True)
    info = api.get(f"/api/export/status/{job_id}").json()["file_info"]
    answer = api.get(f"/api/export/download/{job_id}")
    assert info["filename"] in answer.headers["Content-Disposition"]
    assert info["filename"].endswith(f".{order['format']}")
    assert info["sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert info["file_size_bytes"] == len(answer.content)
    assert info["record_count"] == answer.text.count("\n") - (order["format"] == "csv")
    assert "export_period" not in info
    kind = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson; charset=utf-8"}
    assert answer.headers["Content-Type"] == kind[order["format"]]
    return answer.text


def test_csv_has_a_line_for_each_contract_and_component(api: TestClient, contracts: None) -> None:
    assert export(api, format="csv").split("\r\n") == [
        "contract_number,component,start,end",
        f"a,{SUPPLY},2024-01-01,2024-06-30",
        f"a,{BATTERY},,",
        f"b,{SUPPLY},2024-05-01,",
        f"b,{BATTERY},,",
        "",
    ]


def test_ndjson_has_a_line_for_each_contract(api: TestClient, contracts: None) -> None:
    first, second = map(json.loads, export(api, format="ndjson").splitlines())
    assert first == {
        "contract_number": "a",
        "created_at": "2023-01-01T00:00:00Z",
        "components": {
            SUPPLY: {"start": "2024-01-01", "end": "2024-06-30"},
            BATTERY: {"start": None, "end": None},
        },
    }
    assert list(first["components"]) == [SUPPLY, BATTERY]
    assert second["contract_number"] == "b"


def test_with_a_trail_each_line_has_the_decided_events(api: TestClient, contracts: None) -> None:
    first, second = map(json.loads, export(api, format="ndjson", trail=True).splitlines())
    assert [(event["type"], event["code"], event["id"]) for event in first["events"]] == [
        ("supply_energy_start", "accepted", "first"),
        ("supply_energy_start", "stale_start", None),
        ("supply_energy_end", "accepted", None),
    ]
    assert first["events"][0]["actor"]["kind"] == "anonymous"
    assert len(second["events"]) == 1


def test_with_a_trail_each_line_has_the_corrections_too_as_the_trail_shows_them(
    api: TestClient, contracts: None
) -> None:
    key = api.get("/contract/a/events").json()["items"][0]["key"]
    assert (
        api.post(
            f"/contract/a/events/{key}/void?dry_run=false", json={"reason": "another customer"}
        ).status_code
        == 200
    )
    assert api.patch("/contract/a", json={"components": [BATTERY, SUPPLY]}).status_code == 200
    (row,) = [row for row in api.get("/contract/a/events").json()["items"] if row["kind"] == "voided"]
    assert row["voids"] == key
    for component in ({}, {"component": SUPPLY}):
        first, _ = map(json.loads, export(api, format="ndjson", trail=True, **component).splitlines())
        shown = api.get("/contract/a/events").json()["items"]
        assert [row["kind"] for row in first["events"]] == [
            "decided",
            "decided",
            "decided",
            "voided",
            "changed",
        ]
        for exported, answered in zip(first["events"], shown, strict=True):
            assert exported == {name: answered.get(name) for name in exported}
            # The contract is that of the line, and the type of an event names its component.
            assert answered.keys() - exported.keys() <= {"contract_number", "component"}
        stale = first["events"][1]
        assert stale["blocked_by"] == {
            name: first["events"][0][name] for name in ("type", "date", "created_at")
        }


def test_a_day_and_a_component_choose(api: TestClient, contracts: None) -> None:
    header = "contract_number,component,start,end\r\n"
    both = f"{header}a,{SUPPLY},2024-01-01,2024-06-30\r\nb,{SUPPLY},2024-05-01,\r\n"
    assert export(api, format="csv", on="2024-06-30") == both
    assert export(api, format="csv", on="2024-07-01") == f"{header}b,{SUPPLY},2024-05-01,\r\n"
    assert export(api, format="csv", component=SUPPLY) == both
    assert export(api, format="csv", component=BATTERY, on="2024-06-30") == header
    assert export(api, format="ndjson", on="2023-01-01") == ""
    (line,) = map(json.loads, export(api, format="ndjson", on="2024-04-01").splitlines())
    assert list(line["components"]) == [SUPPLY]


def test_without_contracts_there_is_a_header_and_no_more(api: TestClient) -> None:
    assert export(api, format="csv") == "contract_number,component,start,end\r\n"
    assert export(api, format="ndjson") == ""


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "format"),
        ({"format": "xml"}, "format"),
        ({"format": "csv", "on": "2024-02-30"}, "on"),
        ({"format": "csv", "component": "gas"}, "component"),
        ({"format": "csv", "trail": True}, "trail"),
        ({"format": "ndjson", "trail": "yes"}, "trail"),
        ({"format": "xml", "trail": True}, "format"),
        ({"format": "csv", "colour": "green"}, "colour"),
    ],
)
def test_an_order_that_cannot_be_read_is_400_and_names_the_field(
    api: TestClient, order: dict[str, Any], field: str
) -> None:
    answer = api.post("/api/export/contracts", json=order)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [detail["field"] for detail in answer.json()["details"]] == [field]


def test_a_trail_that_is_not_kept_cannot_be_exported(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENABLE_EVENT_AUDIT", "false")
    forget()
    answer = api.post("/api/export/contracts", json={"format": "ndjson", "trail": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "audit_disabled")
    assert api.post("/api/export/contracts", json={"format": "ndjson"}).status_code == 200


def test_the_same_key_is_the_same_job(api: TestClient) -> None:
    key = {"Idempotency-Key": "one"}
    answers = [api.post("/api/export/contracts", json={"format": "csv"}, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()


def test_a_job_that_was_cancelled_makes_no_file(api: TestClient, contracts: None) -> None:
    job_id = job_of(api, format="csv")
    assert api.delete(f"/api/export/{job_id}").json() == {"status": "cancelled"}
    exporter.worker().run(job_id, is_last_receive=True)
    assert api.get(f"/api/export/download/{job_id}").status_code == 404
    assert stores().export_files.client.list_objects_v2(Bucket="exports")["KeyCount"] == 0
