"""Changes of timelines, from the table's stream to the bus."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from moto import mock_aws

from functions.publisher import handler as publisher
from infra import aws
from infra.contracts.timeline_changes import change_of, messages_of
from tests.functions.ingestion.conftest import Context

BATCH = json.loads((Path(__file__).parents[2] / "events" / "stream_batch.json").read_text())


def published(
    batch: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *, bus: str = "bus"
) -> tuple[list[Any], Any]:
    """Run the function on a bus whose events go to a queue; give what arrived there, and the answer."""
    monkeypatch.setenv("EVENT_BUS", bus)
    with mock_aws(config={"core": {"mock_credentials": False}}):
        aws.eventbridge().create_event_bus(Name="bus")
        url = aws.sqs().create_queue(QueueName="changes")["QueueUrl"]
        arn = aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        pattern = json.dumps({"source": ["energy-operations"]})
        aws.eventbridge().put_rule(Name="rule", EventBusName="bus", EventPattern=pattern)
        aws.eventbridge().put_targets(Rule="rule", EventBusName="bus", Targets=[{"Id": "queue", "Arn": arn}])
        answer = publisher.handler(batch, Context())  # type: ignore[arg-type]
        messages = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    bodies = [json.loads(message["Body"]) for message in messages]
    return [body["detail"] | {"detail-type": body["detail-type"]} for body in bodies], answer


def record(before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    images = {"OldImage": before, "NewImage": after}
    keys = {"pk": {"S": "CONTRACT#1001"}, "sk": {"S": "CONTRACT"}}
    kept = {name: image for name, image in images.items() if image is not None}
    return {"eventID": uuid4().hex, "dynamodb": {"Keys": keys, "SequenceNumber": "1", **kept}}


OLD, NEW = (BATCH["Records"][0]["dynamodb"][image] for image in ("OldImage", "NewImage"))
TOMBSTONE = {name: NEW[name] for name in ("pk", "sk", "number", "generation")} | {"version": {"N": "5"}}


def test_a_change_is_published_with_the_dates_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    changes, answer = published(BATCH, monkeypatch)
    assert changes == [
        {
            "id": "c4ca4238a0b923820dcc509a6f75849b",
            "detail-type": "timeline_changed",
            "contract_number": "1001",
            "version": 4,
            "before": {"energy_supply": {"start": None, "end": None}},
            "after": {"energy_supply": {"start": "2024-01-01", "end": None}},
        }
    ]
    assert answer == {"batchItemFailures": []}


def test_a_change_that_the_bus_refuses_is_delivered_again_and_the_log_names_its_contract(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed |= {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}

    aws.eventbridge().meta.events.register("after-call.eventbridge.PutEvents", refuse)
    _, answer = published(BATCH, monkeypatch)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "4421584500000000017450439091"}]}
    lines = [line for line in caplog.records if line.message == "Change not published"]
    assert [line.__dict__["contract_number"] for line in lines] == ["1001"]


def test_a_contract_of_which_nothing_is_known_is_no_change() -> None:
    assert change_of(record(None, OLD)) is None


def test_an_event_that_repeats_a_date_is_no_change() -> None:
    later = json.loads(json.dumps(NEW).replace("1701423000000000", "1701423000000001"))
    assert change_of(record(NEW, later)) is None


def test_the_deletion_of_a_contract_with_dates_is_a_change() -> None:
    change = change_of(record(NEW, TOMBSTONE))
    assert change is not None
    assert change.after == {}


def test_the_deletion_of_a_contract_without_dates_is_no_change() -> None:
    assert change_of(record(OLD, TOMBSTONE)) is None


def kinds(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[tuple[str, int]]:
    return [(message.kind.value, message.detail["version"]) for message in messages_of(record(before, after))]


def test_a_contract_that_is_created_deleted_and_created_again_is_published_with_growing_versions() -> None:
    again = OLD | {"version": {"N": "6"}, "generation": {"N": "2"}}
    assert kinds(None, OLD) == [("contract_created", 3)]
    assert kinds(OLD, NEW) == [("timeline_changed", 4)]
    assert kinds(NEW, TOMBSTONE) == [("contract_deleted", 5), ("timeline_changed", 5)]
    assert kinds(TOMBSTONE, again) == [("contract_created", 6)]


def test_the_deletion_of_a_contract_without_dates_is_published_once() -> None:
    assert kinds(OLD, TOMBSTONE) == [("contract_deleted", 5)]


def test_an_item_that_is_removed_from_the_table_is_published_as_deleted_unless_it_was_already() -> None:
    assert kinds(OLD, None) == [("contract_deleted", 4)]
    assert kinds(TOMBSTONE, None) == []


def test_other_components_are_a_change_of_the_contract_with_both_lists() -> None:
    patched = json.loads(json.dumps(OLD)) | {"version": {"N": "4"}}
    patched["component_names"]["L"].append({"S": "heatpump_optimization"})
    patched["components"]["M"]["heatpump_optimization"] = {"M": {}}
    (message,) = messages_of(record(OLD, patched))
    assert message.kind == "contract_changed"
    assert message.detail["before"] == ["energy_supply"]
    assert message.detail["after"] == ["energy_supply", "heatpump_optimization"]
    assert message.detail["version"] == 4


def test_all_messages_of_a_change_are_put_on_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    messages, answer = published({"Records": [record(NEW, TOMBSTONE)]}, monkeypatch)
    assert {message["detail-type"] for message in messages} == {"contract_deleted", "timeline_changed"}
    assert answer == {"batchItemFailures": []}


def changes_of(count: int) -> dict[str, Any]:
    """Return a batch with one change for each of `count` contracts."""
    records = []
    for number in range(count):
        text = json.dumps(record(OLD, NEW)).replace("CONTRACT#1001", f"CONTRACT#{number}")
        changed: dict[str, Any] = json.loads(text)
        changed["dynamodb"]["SequenceNumber"] = str(number)
        records.append(changed)
    return {"Records": records}


def test_up_to_ten_changes_are_put_on_the_bus_with_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        sizes.append(len(params["Entries"]))

    aws.eventbridge().meta.events.register("provide-client-params.eventbridge.PutEvents", note)
    published(changes_of(21), monkeypatch)
    assert sizes == [10, 10, 1]


def test_only_the_first_change_that_the_bus_refused_is_answered_and_all_others_are_tried(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_the_third(parsed: dict[str, Any], **_: Any) -> None:
        entries = parsed["Entries"]
        if len(entries) == 10:
            parsed["FailedEntryCount"] = 1
            entries[2] = {"ErrorCode": "InternalFailure"}

    aws.eventbridge().meta.events.register("after-call.eventbridge.PutEvents", refuse_the_third)
    _, answer = published(changes_of(12), monkeypatch)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    lines = [line for line in caplog.records if line.message == "Change not published"]
    assert [line.__dict__["contract_number"] for line in lines] == ["2"]


def test_a_record_that_cannot_be_read_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    batch = changes_of(3)
    batch["Records"][1]["dynamodb"]["NewImage"]["created_at"] = {"N": "yesterday"}
    messages, answer = published(batch, monkeypatch)
    assert {message["contract_number"] for message in messages} == {"0", "2"}
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
