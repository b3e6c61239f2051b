"""The deployed service as its callers and publishers use it."""

import hashlib
import json
import ssl
from typing import Any

import httpx2
import pytest

from infra.build import template
from infra.build.packaging import ROOT
from infra.commands.processes import REGION
from tests.deployed.stage import STACK, Stage, poll

PASSWORD = "correct horse battery"  # noqa: S105 - of users who exist only during these tests
WEEK = {"start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-08T00:00:00Z", "format": "csv"}


def event(kind: str = "start", **changes: Any) -> dict[str, Any]:
    return {
        "type": f"supply_energy_{kind}",
        "contract_number": "1001",
        "date": "2024-01-01",
        "created_at": "2023-12-01T00:00:00Z",
    } | changes


def test_the_stage_is_deployed_and_refuses_anonymous_callers(stage: Stage) -> None:
    assert stage.status == "CREATE_COMPLETE"
    anonymous = stage.http()
    assert anonymous.get("/health/ready").json() == {"status": "ready"}
    assert anonymous.get("/").json()["stage"] == "test"
    assert anonymous.get("/contract").status_code == 401
    assert anonymous.post("/event", json=event()).status_code == 401
    me = {"username": "stranger", "password": PASSWORD, "email": "me@example.com"}
    assert anonymous.post("/api/v1/auth/register", json=me).status_code == 403


def test_an_admin_creates_users_and_each_has_the_permissions_of_its_role(stage: Stage) -> None:
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


def test_events_over_http_get_a_verdict_and_a_row_in_the_trail(stage: Stage) -> None:
    operator = stage.http("operator")
    assert operator.post("/event", json=event()).json()["code"] == "accepted"
    late = operator.post("/event", json=event(created_at="2023-11-01T00:00:00Z"))
    assert late.json()["code"] == "stale_start"
    trail = operator.get("/contract/1001/events").json()["items"]
    assert [entry["code"] for entry in trail] == ["accepted", "stale_start"]


def test_events_on_the_bus_are_applied_and_their_changes_published(stage: Stage) -> None:
    queue = queue_of_changes(stage)
    stage.publish(event("end", date="2024-06-01", created_at="2023-12-02T00:00:00Z"))
    viewer = stage.http("viewer")
    expected = {"start": "2024-01-01", "end": "2024-06-01"}
    poll(
        lambda: viewer.get("/contract/1001/contract_timeline").json()["components"]["energy_supply"],
        lambda found: found == expected,
    )
    poll(lambda: changes(stage, queue), lambda found: expected in found)


def changes(stage: Stage, queue: str) -> list[Any]:
    """Receive the published changes of the energy supply."""
    messages = stage.cloud.client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
    return [json.loads(message["Body"])["detail"]["after"]["energy_supply"] for message in messages]


def queue_of_changes(stage: Stage) -> str:
    """Create a queue that receives the published changes, as another team would."""
    sqs, bus = stage.cloud.client("sqs"), stage.outputs["event_bus_name"]
    url = str(sqs.create_queue(QueueName="changes")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = stage.cloud.client("events")
    events.put_rule(
        Name="changes", EventBusName=bus, EventPattern=json.dumps({"detail-type": ["timeline_changed"]})
    )
    events.put_targets(Rule="changes", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def test_a_malformed_event_becomes_a_dead_letter_and_changes_nothing(stage: Stage) -> None:
    before = stage.http("viewer").get("/contract/1001/contract_timeline").json()
    stage.publish({"colour": "green"})
    (letter,) = poll(lambda: stage.dead_letters("ingestion"), lambda found: len(found) > 0)
    assert json.loads(letter)["detail"] == {"colour": "green"}
    assert stage.http("viewer").get("/contract/1001/contract_timeline").json() == before
    assert [stage.dead_letters(queue) for queue in ("rule", "publisher", "export")] == [[], [], []]


def test_the_dead_letters_of_a_stage_are_listed_and_redriven_by_name_of_its_stack(stage: Stage) -> None:
    listed = stage.command("infra.operate.dead_letters")
    assert "component_event" not in listed
    assert "colour: is not a field of this" in listed
    assert listed.splitlines()[-1] == "dead letters: rule 0, ingestion 1, publisher 0, portfolio 0, export 0"
    redriven = stage.command("infra.operate.dead_letters", "redrive")
    assert redriven.splitlines() == [
        "rule: 0 sent back to the ingestion queue",
        "ingestion: 1 sent back to the ingestion queue",
    ]
    poll(lambda: stage.dead_letters("ingestion"), lambda found: len(found) > 0)


def test_readings_are_stored_over_http_and_from_the_bus(stage: Stage) -> None:
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
    (day,) = poll(
        lambda: operator.get(path, params={"resolution": "day"}).json()["items"],
        lambda items: bool(items) and items[0]["readings"] == 24,
    )
    assert day["energy_kwh"] == 2.4


def export(stage: Stage, meter: str, **changes: str) -> tuple[str, dict[str, Any]]:
    """Order an export and wait until it ends; return the job's id and the properties of the file."""
    operator = stage.http("operator")
    created = operator.post("/api/export/csv", json={"smart_meter_id": meter, **WEEK, **changes})
    assert created.status_code == 200, created.text
    job = created.json()["job_id"]
    status = poll(
        lambda: operator.get(f"/api/export/status/{job}").json(), lambda found: found["status"] != "pending"
    )
    assert status["status"] == "completed", status
    return job, status["file_info"]


def test_a_small_export_is_returned_inline(stage: Stage) -> None:
    job, info = export(stage, "sample-1")
    file = stage.http("operator").get(f"/api/export/download/{job}")
    assert (file.status_code, info["record_count"]) == (200, 10_080)
    assert hashlib.sha256(file.content).hexdigest() == info["sha256"]


def test_a_large_export_is_at_a_signed_url_that_is_valid_only_as_signed(stage: Stage) -> None:
    job, info = export(stage, "123", end_datetime="2024-06-01T00:00:00Z")
    redirect = stage.http("operator").get(f"/api/export/download/{job}", follow_redirects=False)
    assert redirect.status_code == 307
    signed = httpx2.URL(redirect.headers["location"])
    tls = ssl.create_default_context(cafile=str(stage.cloud.authority))
    file = httpx2.get(signed, verify=tls)
    assert hashlib.sha256(file.content).hexdigest() == info["sha256"]
    changed = signed.copy_with(path=signed.path.replace("exports/", "exports/other-"))
    assert httpx2.get(changed, verify=tls).status_code in (403, 404)
    unsigned = signed.copy_with(query=None)
    assert httpx2.get(unsigned, verify=tls).status_code == 403


def test_the_sweep_has_the_permissions_it_needs(stage: Stage) -> None:
    functions = stage.cloud.client("cloudformation").describe_stack_resource(
        StackName=STACK, LogicalResourceId="ExportSweepFunction"
    )
    name = functions["StackResourceDetail"]["PhysicalResourceId"]
    answer = stage.cloud.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()


@pytest.mark.parametrize("kind", ["alarms", "dashboard"])
def test_the_stage_has_alarms_and_a_dashboard(stage: Stage, kind: str) -> None:
    cloudwatch = stage.cloud.client("cloudwatch")
    resources = template.read(ROOT / "template.yaml")["Resources"]
    alarms = [name for name, one in resources.items() if one["Type"] == "AWS::CloudWatch::Alarm"]
    if kind == "alarms":
        assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == len(alarms) > 20
    else:
        board = cloudwatch.get_dashboard(DashboardName=f"{STACK}-{REGION}")["DashboardBody"]
        assert "${" not in board
        shown = json.loads(board)["widgets"][0]["properties"]["alarms"]
        assert len(shown) == len(alarms)
        assert all(arn.startswith("arn:aws:cloudwatch:") for arn in shown)
