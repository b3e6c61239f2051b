"""Destroying a stack, also one that CloudFormation could not create or delete."""

import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from infra.commands.command_error import CommandError
from infra.local.emulator import Emulator
from infra.operate.destroy import destroy

TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}


@dataclass(frozen=True)
class DisposableStack:
    """A stack of two tables and two buckets, whose names end with the stack's name."""

    cloud: Emulator
    name: str

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def create(self) -> "DisposableStack":
        tables = {
            name: {"Type": "AWS::DynamoDB::Table", "Properties": {**TABLE, "TableName": self.own(name)}}
            for name in ("first", "second")
        }
        buckets = {
            name: {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": self.own(name)}}
            for name in ("files", "others")
        }
        resources = {
            name: {**resource, "DeletionPolicy": "Retain"} for name, resource in (tables | buckets).items()
        }
        stacks = self.client("cloudformation")
        stacks.create_stack(StackName=self.name, TemplateBody=json.dumps({"Resources": resources}))
        stacks.get_waiter("stack_create_complete").wait(StackName=self.name, WaiterConfig={"Delay": 1})
        return self

    def own(self, name: str) -> str:
        return f"{name}-{self.name}"

    def destroy(self) -> list[str]:
        clients = self.client("cloudformation"), self.client("dynamodb"), self.client("s3")
        return list(destroy(*clients, self.name))

    def left(self) -> set[str]:
        """Return what is left of the stack, without the stack's name."""
        buckets = [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]]
        tables = self.client("dynamodb").list_tables()["TableNames"]
        return {
            name.removesuffix(f"-{self.name}") for name in (*tables, *buckets) if name.endswith(self.name)
        }


@pytest.fixture
def disposable(emulated: Emulator) -> DisposableStack:
    return DisposableStack(emulated, f"stack{uuid4().hex[:8]}").create()


def test_the_tables_and_buckets_of_the_stack_are_deleted_and_no_others(
    disposable: DisposableStack, emulated: Emulator
) -> None:
    disposable.client("s3").put_object(Bucket=disposable.own("files"), Key="exports/one.csv", Body=b"1")
    other = DisposableStack(emulated, f"stack{uuid4().hex[:8]}").create()
    announced, first, *rest = disposable.destroy()
    assert {f"{name}-{disposable.name}" for name in ("first", "second", "files", "others")} <= set(
        announced.removeprefix("to be deleted: ").split(", ")
    )
    assert first == f"deleted the stack {disposable.name}"
    assert sorted(rest) == [
        *(f"deleted the bucket {disposable.own(name)}" for name in ("files", "others")),
        *(f"deleted the table {disposable.own(name)}" for name in ("first", "second")),
    ]
    assert disposable.left() == set()
    assert other.left() == {"first", "second", "files", "others"}


def test_resources_that_no_longer_exist_do_not_stop_the_deletion_of_the_others(
    disposable: DisposableStack,
) -> None:
    disposable.client("dynamodb").delete_table(TableName=disposable.own("first"))
    disposable.client("s3").delete_bucket(Bucket=disposable.own("files"))
    assert disposable.destroy()[2:] == [
        f"deleted the bucket {disposable.own('others')}",
        f"deleted the table {disposable.own('second')}",
    ]
    assert disposable.left() == set()


def test_a_protected_table_prevents_every_deletion(disposable: DisposableStack) -> None:
    disposable.client("dynamodb").update_table(
        TableName=disposable.own("second"), DeletionProtectionEnabled=True
    )
    with pytest.raises(CommandError, match=f"{disposable.own('second')} is protected"):
        disposable.destroy()
    assert disposable.left() == {"first", "second", "files", "others"}
    assert disposable.client("cloudformation").describe_stacks(StackName=disposable.name)["Stacks"]


def test_a_stack_whose_creation_failed_is_deleted_in_spite_of_its_protection(emulated: Emulator) -> None:
    """It cannot be deployed again before it is deleted, so its protection could not be switched off."""
    name = f"stack{uuid4().hex[:8]}"
    table = {**TABLE, "TableName": f"first-{name}", "DeletionProtectionEnabled": True}
    resources = {
        "First": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": table},
        "Broken": {
            "Type": "AWS::SQS::Queue",
            "DependsOn": "First",
            "Properties": {"VisibilityTimeout": 43_201},  # a second more than SQS accepts
        },
    }
    stacks = emulated.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    while stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] != "ROLLBACK_COMPLETE":
        time.sleep(0.1)
    failed = DisposableStack(emulated, name)
    assert failed.left() == {"first"}
    assert f"deleted the stack {name}" in failed.destroy()
    assert failed.left() == set()
