from typing import Any

import pytest
from fastapi.testclient import TestClient

from functions.exporter import handler as exporter
from infra import aws
from infra.commands.command_error import CommandError
from infra.contracts.event_payloads import utc_now
from infra.operate import clients, forget
from infra.portfolio.event_log import is_decided_event
from infra.stores import stores
from tests.functions.api.calls import create, event, send

OUTPUTS = {
    "contracts_table_name": "contracts",
    "portfolio_table_name": "portfolio",
    "readings_table_name": "readings",
    "export_jobs_table_name": "export-jobs",
    "export_bucket_name": "exports",
}


def everything(text: str) -> list[Any]:
    """Return the items and files that contain `text`."""
    scanned: list[Any] = [
        aws.dynamodb().scan(TableName=name)["Items"] for name in OUTPUTS.values() if name != "exports"
    ]
    files = aws.s3().list_objects_v2(Bucket="exports").get("Contents", [])
    return [one for items in (*scanned, files) for one in items if text in str(one)]


def delete(contracts: list[str], meters: list[str]) -> list[str]:
    return list(forget.forget(clients.dynamodb_resource(), aws.s3(), OUTPUTS, contracts, meters))


def test_all_generations_of_a_contract_are_deleted(api: TestClient) -> None:
    send(api, contract_number="gone")  # before the contract exists
    for _ in range(2):
        create(api, "gone")
        for at in ("2023-12-01T00:00:00Z", "2023-12-01T00:00:00Z", "2023-12-02T00:00:00Z"):
            send(api, contract_number="gone", created_at=at)
        api.delete("/contract/gone")
    create(api, "kept")
    send(api, contract_number="kept")
    rows = aws.dynamodb().scan(TableName="contracts")["Items"]
    events = [row for row in rows if is_decided_event(row)]
    log, today = stores().event_log, utc_now().date()
    assert all(log.add(row, today) for row in events)
    kept = everything("kept")
    assert len(everything("gone")) > len(kept) > 1
    of_gone = [row for row in events if row["number"]["S"] == "gone"]
    assert len(of_gone) == 7

    assert delete(["gone"], []) == ["contract gone: 15 items deleted"]
    assert everything("gone") == []
    assert everything("kept") == kept

    create(api, "gone")
    assert api.get("/contract/gone/events").json()["items"] == []
    assert api.post("/event", json=event(contract_number="gone")).json()["code"] == "accepted"


def test_a_meter_is_deleted_with_its_readings_and_exports(api: TestClient) -> None:
    reading = {"energy_kwh": 1, "power_kw": 1, "voltage_v": 230, "current_a": 4}
    jobs = {}
    for meter in ("gone", "kept"):
        readings = [{"timestamp": f"2024-01-01T{hour:02}:00:00Z", **reading} for hour in range(3)]
        assert api.put(f"/api/meters/{meter}/readings", json={"readings": readings}).status_code == 200
        order = {"smart_meter_id": meter, "start_datetime": "2024-01-01T00:00:00Z"}
        created = api.post("/api/export/csv", json={**order, "end_datetime": "2024-01-02T00:00:00Z"})
        jobs[meter] = created.json()["job_id"]
        exporter.worker().run(jobs[meter], is_last_receive=True)
    assert len(everything(jobs["gone"])) == 2, "a job and a file"
    kept = everything("kept") + everything(jobs["kept"])

    assert delete([], ["gone"]) == ["meter gone: 5 items deleted"]
    assert everything("gone") == everything(jobs["gone"]) == []
    assert everything("kept") + everything(jobs["kept"]) == kept
    status = api.get(f"/api/export/status/{jobs['gone']}").json()
    assert status["status"] == "not_found"


@pytest.mark.parametrize(
    ("contracts", "meters", "unknown"),
    [
        (["1001", "10O1"], [], "contract 10O1"),
        (["1002", "1003"], ["m1", "m2"], "contract 1002, contract 1003, meter m2"),
        ([], ["m2"], "meter m2"),
    ],
)
def test_an_unknown_name_is_an_error_and_nothing_is_deleted(
    api: TestClient, contracts: list[str], meters: list[str], unknown: str
) -> None:
    create(api, "1001")
    reading = {"timestamp": "2024-01-01T00:00:00Z", "energy_kwh": 1, "power_kw": 1, "voltage_v": 230}
    sent = {"readings": [reading | {"current_a": 4}]}
    assert api.put("/api/meters/m1/readings", json=sent).status_code == 200
    before = everything("")
    with pytest.raises(CommandError, match=f"^nothing was deleted: there is no {unknown}$"):
        delete(contracts, meters)
    assert everything("") == before


def test_a_number_that_only_has_events_from_before_its_contract_is_known(api: TestClient) -> None:
    send(api, contract_number="early")
    assert delete(["early"], []) == ["contract early: 1 items deleted"]
    assert everything("early") == []


def test_a_name_that_is_given_twice_is_deleted_once(api: TestClient) -> None:
    create(api, "1001")
    assert delete(["1001", "1001"], []) == ["contract 1001: 1 items deleted"]
