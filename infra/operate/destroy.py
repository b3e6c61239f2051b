"""`make destroy`: deletes a disposable stage, with the resources that CloudFormation leaves behind.

The template always retains the tables and the bucket when the stack is deleted, since a DeletionPolicy cannot
depend on a parameter. The command refuses a stage with ProtectData=true: deploy it with ProtectData=false first.
"""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.commands.command_error import CommandError
from infra.operate import clients
from infra.operate.command import require_confirmation, required_variable, run_steps

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

_TABLE, _BUCKET = "AWS::DynamoDB::Table", "AWS::S3::Bucket"
_CREATION_FAILED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


def destroy(
    stacks: "CloudFormationClient", dynamodb: "DynamoDBClient", s3: "S3Client", stack: str
) -> Iterator[str]:
    """Delete `stack`, its tables and its bucket with all files; yield each step when it is done.

    A stack whose creation failed is not protected: it was never in use, and it cannot be deployed again.

    Raises:
        CommandError: a table is protected; nothing was deleted.
    """
    (described,) = stacks.describe_stacks(StackName=stack)["Stacks"]
    retained = set(_retained(stacks, stack))
    # A stack whose creation or deletion failed also lists resources that no longer exist.
    tables = [table for table in _all_tables(dynamodb) if (_TABLE, table) in retained]
    buckets = [
        bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if (_BUCKET, bucket["Name"]) in retained
    ]
    for table in tables:
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            if described["StackStatus"] not in _CREATION_FAILED:
                raise CommandError(f"{table} is protected: deploy {stack} with ProtectData=false first")
            dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
            dynamodb.get_waiter("table_exists").wait(TableName=table)
    # If the command is interrupted, this line says what is left to delete by hand.
    yield f"to be deleted: {', '.join([stack, *tables, *buckets])}"
    stacks.delete_stack(StackName=stack)
    stacks.get_waiter("stack_delete_complete").wait(StackName=stack)
    yield f"deleted the stack {stack}"
    for bucket in buckets:
        _delete_bucket(s3, bucket)
        yield f"deleted the bucket {bucket}"
    left = _all_tables(dynamodb)
    for table in tables:
        if table in left:
            dynamodb.delete_table(TableName=table)
            yield f"deleted the table {table}"


def _delete_bucket(s3: "S3Client", bucket: str) -> None:
    """Delete a bucket with its files: S3 refuses to delete one that is not empty."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        if files := [{"Key": file["Key"]} for file in page.get("Contents", [])]:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": files})  # type: ignore[typeddict-item]
    s3.delete_bucket(Bucket=bucket)


def _all_tables(dynamodb: "DynamoDBClient") -> list[str]:
    return [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]


def _retained(stacks: "CloudFormationClient", stack: str) -> Iterator[tuple[str, str]]:
    """Yield type and name of the stack's tables and buckets; a resource that was never created has an empty name."""
    resources = stacks.get_paginator("list_stack_resources").paginate(StackName=stack)
    listed = [resource for page in resources for resource in page["StackResourceSummaries"]]
    # A rollback also leaves resources behind, which the stack no longer lists: its events name them.
    events = stacks.get_paginator("describe_stack_events").paginate(StackName=stack)
    skipped = [
        event
        for page in events
        for event in page["StackEvents"]
        if event["ResourceStatus"] == "DELETE_SKIPPED"
    ]
    for resource in (*listed, *skipped):
        if resource["ResourceType"] in (_TABLE, _BUCKET):
            yield resource["ResourceType"], resource.get("PhysicalResourceId", "")


def _steps() -> Iterator[str]:
    stack = required_variable(os.environ, "STACK", "the name of the deployed stack")
    require_confirmation(os.environ, stack, f"this deletes all data of {stack}")
    yield from destroy(clients.cloudformation(), clients.dynamodb(), clients.s3(), stack)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
