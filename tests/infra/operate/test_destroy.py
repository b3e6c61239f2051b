"""The end of a stack that is to be thrown away, also of one that CloudFormation could not make or delete."""

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
class Thrown:
    """A stack of two tables and two buckets, whose names end with its own."""

    cloud: Emulator
    name: str

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def made(self) -> "Thrown":
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

    def destroyed(self) -> list[str]:
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
def thrown(emulated: Emulator) -> Thrown:
    return Thrown(emulated, f"stack{uuid4().hex[:8]}").made()


def test_what_a_stack_retains_goes_with_it_and_nothing_else(thrown: Thrown, emulated: Emulator) -> None:
    thrown.client("s3").put_object(Bucket=thrown.own("files"), Key="exports/one.csv", Body=b"1")
    other = Thrown(emulated, f"stack{uuid4().hex[:8]}").made()
    told, first, *rest = thrown.destroyed()
    assert {f"{name}-{thrown.name}" for name in ("first", "second", "files", "others")} <= set(
        told.removeprefix("to be deleted: ").split(", ")
    )
    assert first == f"deleted the stack {thrown.name}"
    assert sorted(rest) == [
        *(f"deleted the bucket {thrown.own(name)}" for name in ("files", "others")),
        *(f"deleted the table {thrown.own(name)}" for name in ("first", "second")),
    ]
    assert thrown.left() == set()
    assert other.left() == {"first", "second", "files", "others"}


def test_what_is_gone_already_does_not_keep_the_rest(thrown: Thrown) -> None:
    thrown.client("dynamodb").delete_table(TableName=thrown.own("first"))
    thrown.client("s3").delete_bucket(Bucket=thrown.own("files"))
    assert thrown.destroyed()[2:] == [
        f"deleted the bucket {thrown.own('others')}",
        f"deleted the table {thrown.own('second')}",
    ]
    assert thrown.left() == set()


def test_a_protected_table_keeps_everything(thrown: Thrown) -> None:
    thrown.client("dynamodb").update_table(TableName=thrown.own("second"), DeletionProtectionEnabled=True)
    with pytest.raises(CommandError, match=f"{thrown.own('second')} is protected"):
        thrown.destroyed()
    assert thrown.left() == {"first", "second", "files", "others"}
    assert thrown.client("cloudformation").describe_stacks(StackName=thrown.name)["Stacks"]


def test_a_stack_that_never_came_up_protects_nothing(emulated: Emulator) -> None:
    """It cannot be deployed again before it is deleted, so nobody could take its protection away."""
    name = f"stack{uuid4().hex[:8]}"
    table = {**TABLE, "TableName": f"first-{name}", "DeletionProtectionEnabled": True}
    resources = {
        "First": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": table},
        "Broken": {
            "Type": "AWS::SQS::Queue",
            "DependsOn": "First",
            "Properties": {"VisibilityTimeout": 43_201},  # a second more than SQS takes
        },
    }
    stacks = emulated.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    while stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] != "ROLLBACK_COMPLETE":
        time.sleep(0.1)
    failed = Thrown(emulated, name)
    assert failed.left() == {"first"}
    assert f"deleted the stack {name}" in failed.destroyed()
    assert failed.left() == set()
