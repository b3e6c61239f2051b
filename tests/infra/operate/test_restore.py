from typing import Any

import pytest
from fastapi.testclient import TestClient

from infra import aws
from infra.commands.command_error import CommandError
from infra.operate import clients, restore
from tests.conftest import create_table
from tests.functions.api.calls import create, send


def items(table: str) -> list[Any]:
    return sorted(aws.dynamodb().scan(TableName=table)["Items"], key=str)


@pytest.fixture
def backup(api: TestClient) -> str:
    """A table as DynamoDB restores it: the contracts as they were before the mistakes."""
    create_table(aws.dynamodb(), "ContractsTable", "backup")
    for number in ("1001", "1002"):
        create(api, number)
        send(api, contract_number=number)
    for item in items("contracts"):
        aws.dynamodb().put_item(TableName="backup", Item=item)
    # The mistakes: an event too many, a contract too many, a contract too few.
    send(api, contract_number="1001", created_at="2024-06-01T00:00:00Z")
    create(api, "1003")
    aws.dynamodb().delete_item(
        TableName="contracts", Key={"pk": {"S": "CONTRACT#1002"}, "sk": {"S": "CONTRACT"}}
    )
    return "backup"


def copy_back(source: str, prefix: str = "") -> list[str]:
    return list(restore.restore(clients.dynamodb_resource(), "contracts", source, prefix))


def test_a_table_gets_the_items_of_the_backup(api: TestClient, backup: str) -> None:
    assert items("contracts") != items(backup)
    assert copy_back(backup) == ["2 items deleted that are not in backup", "4 items copied"]
    assert items("contracts") == items(backup)
    assert copy_back(backup) == ["0 items deleted that are not in backup", "4 items copied"]
    assert api.get("/contract/1002/contract_timeline").status_code == 200


def test_with_a_prefix_only_that_part_is_restored(api: TestClient, backup: str) -> None:
    assert copy_back(backup, "CONTRACT#1002") == [
        "0 items deleted that are not in backup",
        "1 items copied",
    ]
    assert api.get("/contract/1002").status_code == 200
    assert api.get("/contract/1003").status_code == 200
    assert len(api.get("/contract/1001/events").json()["items"]) == 2


def test_a_prefix_matches_whole_parts_of_a_key_only(api: TestClient, backup: str) -> None:
    create(api, "10010")
    send(api, contract_number="10010")
    for prefix in ("CONTRACT#1001", "TRAIL#1001", "TRAIL#1001#"):
        copy_back(backup, prefix)
    assert len(api.get("/contract/1001/events").json()["items"]) == 1
    assert len(api.get("/contract/10010/events").json()["items"]) == 1


def test_more_items_than_one_batch_reads_are_restored(cloud: None) -> None:
    create_table(aws.dynamodb(), "ContractsTable", "backup")
    for index in range(250):
        key = {"pk": {"S": f"CONTRACT#{index}"}, "sk": {"S": "CONTRACT"}}
        aws.dynamodb().put_item(TableName="contracts", Item=key)
        if index % 2:
            aws.dynamodb().put_item(TableName="backup", Item=key)
    assert copy_back("backup")[0] == "125 items deleted that are not in backup"
    assert items("contracts") == items("backup")


def test_a_table_of_another_kind_is_refused(cloud: None) -> None:
    with pytest.raises(CommandError, match="not the same kind"):
        copy_back("throttles")
