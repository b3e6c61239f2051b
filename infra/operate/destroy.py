"""`make destroy`: deletes a stage that is to be thrown away, with what CloudFormation leaves behind.

The template retains tables and the bucket whatever happens to the stack, since a DeletionPolicy cannot depend on
a parameter. A stage with ProtectData=true is refused: deploy it with ProtectData=false first.
"""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3

from infra.commands.processes import CommandError
from infra.operate.command import confirmed, required_variable, tell

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_TABLE, _BUCKET = "AWS::DynamoDB::Table", "AWS::S3::Bucket"
_NEVER_UP = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


def destroy(
    stacks: "CloudFormationClient", dynamodb: "DynamoDBClient", s3: "S3Client", stack: str
) -> Iterator[str]:
    """Delete `stack`, its tables and its bucket with all files; say each step when it is done.

    A stack that never came up protects nothing: nobody could use it, and it cannot be deployed again.

    Raises:
        CommandError: a table is protected; nothing was deleted.
    """
    (described,) = stacks.describe_stacks(StackName=stack)["Stacks"]
    named = set(_retained(stacks, stack))
    # A stack whose creation or deletion has failed also names what is gone already.
    tables = [table for table in _all_tables(dynamodb) if (_TABLE, table) in named]
    buckets = [
        bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if (_BUCKET, bucket["Name"]) in named
    ]
    for table in tables:
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            if described["StackStatus"] not in _NEVER_UP:
                raise CommandError(f"{table} is protected: deploy {stack} with ProtectData=false first")
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
            dynamodb.get_waiter("table_exists").wait(TableName=table)
    # Should this be broken off, whoever started it knows what is left to delete by hand.
    yield f"to be deleted: {', '.join([stack, *tables, *buckets])}"
    stacks.delete_stack(StackName=stack)
    stacks.get_waiter("stack_delete_complete").wait(StackName=stack)
    yield f"deleted the stack {stack}"
    for bucket in buckets:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if files := [{"Key": file["Key"]} for file in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": files})  # type: ignore[typeddict-item]
        s3.delete_bucket(Bucket=bucket)
        yield f"deleted the bucket {bucket}"
    left = _all_tables(dynamodb)
    for table in tables:
        if table in left:
            dynamodb.delete_table(TableName=table)
            yield f"deleted the table {table}"


def _all_tables(dynamodb: "DynamoDBClient") -> list[str]:
    return [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]


def _retained(stacks: "CloudFormationClient", stack: str) -> Iterator[tuple[str, str]]:
    """Yield type and name of the stack's tables and buckets; what was never made has no name."""
    resources = stacks.get_paginator("list_stack_resources").paginate(StackName=stack)
    # What a rollback has left behind, too: the stack does not count that as its own any more.
    events = stacks.get_paginator("describe_stack_events").paginate(StackName=stack)
    named = [one for page in resources for one in page["StackResourceSummaries"]]
    skipped = [
        one for page in events for one in page["StackEvents"] if one["ResourceStatus"] == "DELETE_SKIPPED"
    ]
    for one in (*named, *skipped):
        if one["ResourceType"] in (_TABLE, _BUCKET):
            yield one["ResourceType"], one.get("PhysicalResourceId", "")


def _steps() -> Iterator[str]:
    stack = required_variable(os.environ, "STACK", "the deployed stack")
    confirmed(os.environ, stack, f"this deletes all data of {stack}")
    yield from destroy(boto3.client("cloudformation"), boto3.client("dynamodb"), boto3.client("s3"), stack)


if __name__ == "__main__":
    sys.exit(tell(_steps))
