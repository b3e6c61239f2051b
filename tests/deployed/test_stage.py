"""The service as its callers and publishers meet it, on what `sam deploy` made."""

import hashlib
import json
import ssl
from typing import Any

import httpx2
import pytest

from infra.build import template
from infra.build.packaging import ROOT
from infra.commands.processes import REGION
from tests.deployed.stage import STACK, Stage, until

PASSWORD = "correct horse battery"  # noqa: S105 - of users who live as long as this module
WEEK = {"start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-08T00:00:00Z", "format": "csv"}


def event(kind: str = "start", **changes: Any) -> dict[str, Any]:
    return {
        "type": f"supply_energy_{kind}",
        "contract_number": "1001",
        "date": "2024-01-01",
        "created_at": "2023-12-01T00:00:00Z",
    } | changes


def test_the_stage_is_up_and_closed(stage: Stage) -> None:
    assert stage.status == "CREATE_COMPLETE"
    anybody = stage.http()
    assert anybody.get("/health/ready").json() == {"status": "ready"}
    assert anybody.get("/").json()["stage"] == "test"
    assert anybody.get("/contract").status_code == 401
    assert anybody.post("/event", json=event()).status_code == 401
    me = {"username": "somebody", "password": PASSWORD, "email": "me@example.com"}
    assert anybody.post("/api/v1/auth/register", json=me).status_code == 403


def test_an_admin_makes_users_and_each_may_what_its_role_says(stage: Stage) -> None:
    root = stage.http("root")
    for role in ("viewer", "operator"):
        user = {"username": role, "email": f"{role}@example.com", "password": PASSWORD, "role": role}
        assert root.post("/api/v1/users", json=user).status_code == 201
        stage.log_in(role, PASSWORD)
    contract = {"contract_number": "1001", "components": ["energy_supply", "battery_optimization"]}
    statuses = {
        role: (
            stage.http(role).post("/contract", json=contract).status_code,
            stage.http(role).get("/contract/1001").status_code,
            stage.http(role).delete("/contract/none").status_code,
        )
        for role in ("operator", "viewer", "root")
    }
    assert statuses == {"operator": (201, 200, 403), "viewer": (403, 200, 403), "root": (409, 200, 404)}
    wrong = stage.http().post("/token", data={"username": "viewer", "password": "wrong horse battery"})
    assert wrong.status_code == 401


def test_events_over_http_are_judged_and_can_be_proven(stage: Stage) -> None:
    operator = stage.http("operator")
    assert operator.post("/event", json=event()).json()["code"] == "accepted"
    late = operator.post("/event", json=event(created_at="2023-11-01T00:00:00Z"))
    assert late.json()["code"] == "stale_start"
    trail = operator.get("/contract/1001/events").json()["items"]
    assert [entry["code"] for entry in trail] == ["stale_start", "accepted"]


def test_events_on_the_bus_are_applied_and_changes_are_told(stage: Stage) -> None:
    told = queue_of_changes(stage)
    stage.publish(event("end", date="2024-06-01", created_at="2023-12-02T00:00:00Z"))
    viewer = stage.http("viewer")
    wanted = {"start": "2024-01-01", "end": "2024-06-01"}
    until(
        lambda: viewer.get("/contract/1001/contract_timeline").json()["components"]["energy_supply"],
        lambda found: found == wanted,
    )
    until(lambda: changes(stage, told), lambda found: wanted in found)


def changes(stage: Stage, queue: str) -> list[Any]:
    """Take what the service told about the supply of energy."""
    messages = stage.cloud.client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
    return [json.loads(message["Body"])["detail"]["after"]["energy_supply"] for message in messages]


def queue_of_changes(stage: Stage) -> str:
    """Make a queue that gets what the service tells, as another team would."""
    sqs, bus = stage.cloud.client("sqs"), stage.outputs["event_bus_name"]
    url = str(sqs.create_queue(QueueName="told")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = stage.cloud.client("events")
    events.put_rule(
        Name="told", EventBusName=bus, EventPattern=json.dumps({"detail-type": ["timeline_changed"]})
    )
    events.put_targets(Rule="told", EventBusName=bus, Targets=[{"Id": "told", "Arn": arn}])
    return url


def test_what_is_malformed_becomes_a_dead_letter_and_nothing_else(stage: Stage) -> None:
    before = stage.http("viewer").get("/contract/1001/contract_timeline").json()
    stage.publish({"colour": "green"})
    (letter,) = until(lambda: stage.letters("ingestion"), lambda found: len(found) > 0)
    assert json.loads(letter)["detail"] == {"colour": "green"}
    assert stage.http("viewer").get("/contract/1001/contract_timeline").json() == before
    assert [stage.letters(queue) for queue in ("rule", "publisher", "export")] == [[], [], []]


def test_readings_come_by_http_and_by_the_bus(stage: Stage) -> None:
    reading = {"energy_kwh": 0.1, "power_kw": 1, "voltage_v": 230, "current_a": 4}
    sent = [{"timestamp": f"2024-01-01T{hour:02}:00:00Z", **reading} for hour in range(12)]
    more = [{"timestamp": f"2024-01-01T{hour:02}:00:00Z", **reading} for hour in range(12, 24)]
    path = "/api/meters/roof/readings"
    operator = stage.http("operator")
    assert operator.put(path, json={"readings": sent}).json() == {
        "received": 12,
        "stored": 12,
        "updated": 0,
        "unchanged": 0,
        "outdated": 0,
    }
    stage.publish({"smart_meter_id": "roof", "readings": more}, "meter_readings")
    (day,) = until(
        lambda: operator.get(path, params={"resolution": "day"}).json()["items"],
        lambda items: bool(items) and items[0]["readings"] == 24,
    )
    assert day["energy_kwh"] == 2.4


def export(stage: Stage, meter: str, **changes: str) -> tuple[str, dict[str, Any]]:
    """Ask for an export and wait for its end; returns the job's id and the facts of the file."""
    operator = stage.http("operator")
    asked = operator.post("/api/export/csv", json={"smart_meter_id": meter, **WEEK, **changes})
    assert asked.status_code == 200, asked.text
    job = asked.json()["job_id"]
    status = until(
        lambda: operator.get(f"/api/export/status/{job}").json(), lambda found: found["status"] != "pending"
    )
    assert status["status"] == "completed", status
    return job, status["file_info"]


def test_a_small_export_comes_inline(stage: Stage) -> None:
    job, info = export(stage, "sample-1")
    file = stage.http("operator").get(f"/api/export/download/{job}")
    assert (file.status_code, info["record_count"]) == (200, 10_080)
    assert hashlib.sha256(file.content).hexdigest() == info["sha256"]


def test_a_large_export_is_at_a_signed_url_that_cannot_be_bent(stage: Stage) -> None:
    job, info = export(stage, "123", end_datetime="2024-06-01T00:00:00Z")
    redirect = stage.http("operator").get(f"/api/export/download/{job}", follow_redirects=False)
    assert redirect.status_code == 307
    signed = httpx2.URL(redirect.headers["location"])
    here = ssl.create_default_context(cafile=str(stage.cloud.authority))
    file = httpx2.get(signed, verify=here)
    assert hashlib.sha256(file.content).hexdigest() == info["sha256"]
    bent = signed.copy_with(path=signed.path.replace("exports/", "exports/other-"))
    assert httpx2.get(bent, verify=here).status_code in (403, 404)
    unsigned = signed.copy_with(query=None)
    assert httpx2.get(unsigned, verify=here).status_code == 403


def test_the_sweep_finds_nothing_to_do_and_may_look(stage: Stage) -> None:
    functions = stage.cloud.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="ExportSweepFunction"
    )
    name = functions["StackResourceDetail"]["PhysicalResourceId"]
    answer = stage.cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.mark.parametrize("kind", ["alarms", "dashboard"])
def test_the_stage_is_watched(stage: Stage, kind: str) -> None:
    watch = stage.cloud.client("cloudwatch")
    resources = template.read(ROOT / "template.yaml")["Resources"]
    alarms = [name for name, made in resources.items() if made["Type"] == "AWS::CloudWatch::Alarm"]
    if kind == "alarms":
        assert len(watch.describe_alarms()["MetricAlarms"]) == len(alarms) > 20
    else:
        board = watch.get_dashboard(DashboardName=f"{STACK}-{REGION}")["DashboardBody"]
        assert "${" not in board
        shown = json.loads(board)["widgets"][0]["properties"]["alarms"]
        assert len(shown) == len(alarms)
        assert all(arn.startswith("arn:aws:cloudwatch:") for arn in shown)
