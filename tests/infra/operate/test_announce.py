"""`make announce`: the present state of contracts, once more on the bus."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from infra import aws
from infra.commands.command_error import CommandError
from infra.contracts.timeline_changes import ChangePublisher
from infra.operate import announce
from tests.functions.api.calls import END, create, send

BUS = "bus"
SUPPLY = {"energy_supply": {"start": "2024-01-01", "end": None}}


@pytest.fixture
def bus(api: TestClient) -> str:
    """Make a bus whose `timeline_changed` go to a queue; give the queue's URL."""
    aws.eventbridge().create_event_bus(Name=BUS)
    url = aws.sqs().create_queue(QueueName="published")["QueueUrl"]
    arn = aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"detail-type": ["timeline_changed"], "source": ["energy-operations"]})
    aws.eventbridge().put_rule(Name="rule", EventBusName=BUS, EventPattern=pattern)
    aws.eventbridge().put_targets(Rule="rule", EventBusName=BUS, Targets=[{"Id": "queue", "Arn": arn}])
    return url


def announced(*numbers: str) -> list[str]:
    publisher = ChangePublisher(aws.eventbridge(), BUS)
    return list(announce.announce(aws.dynamodb(), "contracts", publisher, numbers))


def published(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while messages := aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [json.loads(message["Body"])["detail"] for message in messages]
        for message in messages:
            aws.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_the_present_timeline_is_published_as_a_change_in_which_nothing_changes(
    api: TestClient, bus: str
) -> None:
    for number in ("1001", "1002"):
        create(api, number)
    send(api)
    assert announced("1001", "1002") == ["contract 1001: announced", "contract 1002: announced"]
    first, second = published(bus)
    assert first.pop("id") != second.pop("id")
    assert first == {"contract_number": "1001", "version": 2, "before": SUPPLY, "after": SUPPLY}
    assert second["after"] == {"energy_supply": {"start": None, "end": None}}


def test_a_deleted_contract_is_announced_as_one_of_which_nothing_is_known(api: TestClient, bus: str) -> None:
    create(api)
    send(api)
    api.delete("/contract/1001")
    assert announced("1001") == ["contract 1001: announced as deleted"]
    (detail,) = published(bus)
    assert (detail["before"], detail["after"]) == ({}, {})


def test_a_change_that_comes_in_between_is_announced_after_what_was_read_before_it(
    api: TestClient, bus: str
) -> None:
    create(api)
    send(api)
    changes = iter(["2024-06-01", "2024-07-01"])

    def change(**_: Any) -> None:
        # Between the reading of the item and its publication, twice.
        if date := next(changes, None):
            send(api, type=END, date=date, created_at=f"{date}T00:00:00Z")

    aws.eventbridge().meta.events.register_first("before-call.eventbridge.PutEvents", change)
    assert announced("1001") == ["contract 1001: announced"]
    assert [detail["after"]["energy_supply"]["end"] for detail in published(bus)] == [
        None,
        "2024-06-01",
        "2024-07-01",
    ]


def test_a_contract_that_is_not_there_or_cannot_be_read_keeps_no_other_from_being_announced(
    api: TestClient, bus: str
) -> None:
    for number in ("1001", "broken"):
        create(api, number)
    aws.dynamodb().update_item(
        TableName="contracts",
        Key={"pk": {"S": "CONTRACT#broken"}, "sk": {"S": "CONTRACT"}},
        UpdateExpression="SET component_names = :names",
        ExpressionAttributeValues={":names": {"L": [{"S": "wind_turbine"}]}},
    )
    with pytest.raises(CommandError, match=r"not announced: never \(there never was .*broken \(ValueError"):
        announced("never", "broken", "1001")
    assert [detail["contract_number"] for detail in published(bus)] == ["1001"]


def test_what_the_bus_does_not_take_is_named(api: TestClient, bus: str) -> None:
    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed |= {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}

    create(api)
    aws.eventbridge().meta.events.register("after-call.eventbridge.PutEvents", refuse)
    with pytest.raises(CommandError, match=r"1001 \(.*InternalFailure"):
        announced("1001")


def test_the_command_wants_to_know_which_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS", " , ")
    with pytest.raises(CommandError, match="CONTRACTS="):
        list(announce._steps())
