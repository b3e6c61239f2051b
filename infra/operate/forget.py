"""`make forget`: permanently deletes the data of a customer's contracts and meters from a deployed stage.

The API's DELETE ends a contract and keeps its history, which proves what was decided. This command deletes the
history too. Backups, the archive of the bus and logs still hold the data until they expire: docs/operations.md.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from domain.exports import folder_of
from infra.commands.command_error import CommandError
from infra.contracts.contract_items import key_of
from infra.contracts.trail_rows import NO_CONTRACT, partition_of
from infra.meters.meter_store import partition_of as meter_partition_of
from infra.operate import clients
from infra.operate.command import names_in, require_confirmation, required_variable, run_steps, stack_outputs
from infra.portfolio.event_log import is_decided_event, log_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table
    from mypy_boto3_s3 import S3Client


def forget_contract(table: "Table", number: str) -> int:
    """Delete a contract and the rows of its trails in every generation; return the number of items."""
    contract = list(_partition(table, key_of(number)["pk"]["S"]))
    generations = max((int(item["generation"]) for item in contract), default=0)
    # The contract last: if the command is interrupted, the item still holds the number of generations.
    rows = (
        row
        for generation in range(generations + 1)
        for row in _partition(table, partition_of(number, generation))
    )
    return _delete(table, rows) + _delete(table, contract)


def forget_in_portfolio(contracts: "Table", portfolio: "Table", number: str) -> int:
    """Delete the rows of a contract in the log of events by day; return their number.

    Its entry in the portfolio is deleted when the stream reports that the contract's item was deleted.
    """
    generations = [int(item["generation"]) for item in _partition(contracts, key_of(number)["pk"]["S"])]
    keys = (
        log_key(_typed(row))
        for generation in range(max(generations, default=0) + 1)
        for row in _partition(contracts, partition_of(number, generation))
        if is_decided_event(_typed(row))
    )
    # One by one, since only this shows which existed: most have expired.
    return sum(
        "Attributes"
        in portfolio.delete_item(
            Key={name: value["S"] for name, value in key.items()}, ReturnValues="ALL_OLD"
        )
        for key in keys
    )


def _typed(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the attributes of which the key of a logged row consists."""
    text = {name: {"S": str(row[name])} for name in ("sk", "number", "key", "row_kind") if name in row}
    return text | ({"received_at": {"N": str(row["received_at"])}} if "received_at" in row else {})


def forget_meter(readings: "Table", jobs: "Table", s3: "S3Client", bucket: str, meter_id: str) -> int:
    """Delete a meter, its readings, its exports and their files; return the number of items."""
    exports = list(_query(jobs, Key("smart_meter_id").eq(meter_id), IndexName="by_meter"))
    for job in exports:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=folder_of(job["job_id"]))
        for file in found.get("Contents", []):  # one for each attempt
            s3.delete_object(Bucket=bucket, Key=file["Key"])
    return _delete(jobs, exports) + _delete(readings, _partition(readings, meter_partition_of(meter_id)["S"]))


def _partition(table: "Table", key: str) -> Iterator[Mapping[str, Any]]:
    yield from _query(table, Key("pk").eq(key), ConsistentRead=True)


def _query(table: "Table", condition: Any, **how: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - boto3's own
    pages = table.meta.client.get_paginator("query")
    for page in pages.paginate(TableName=table.name, KeyConditionExpression=condition, **how):
        yield from page["Items"]


def _delete(table: "Table", items: Any) -> int:  # noqa: ANN401 - items as boto3 reads them
    count = 0
    names = [part["AttributeName"] for part in table.key_schema]
    # Without a condition: the items are deleted even if they have changed since they were read.
    with table.batch_writer() as batch:
        for item in items:
            batch.delete_item(Key={name: item[name] for name in names})
            count += 1
    return count


def forget(
    dynamodb: "DynamoDBServiceResource",
    s3: "S3Client",
    outputs: Mapping[str, str],
    contracts: list[str],
    meters: list[str],
) -> Iterator[str]:
    """Delete the data of contracts and meters from the tables of a stack; yield each step when it is done.

    Raises:
        CommandError: there is nothing about one of the names, which may be mistyped; nothing was deleted.
    """
    contracts, meters = list(dict.fromkeys(contracts)), list(dict.fromkeys(meters))
    _require_known(dynamodb, outputs, contracts, meters)
    table = dynamodb.Table(outputs["contracts_table_name"])
    portfolio = dynamodb.Table(outputs["portfolio_table_name"])
    for number in contracts:
        # The log first: its keys are derived from the rows of the trails.
        count = forget_in_portfolio(table, portfolio, number) + forget_contract(table, number)
        yield f"contract {number}: {count} items deleted"
    readings = dynamodb.Table(outputs["readings_table_name"])
    jobs = dynamodb.Table(outputs["export_jobs_table_name"])
    for meter_id in meters:
        count = forget_meter(readings, jobs, s3, outputs["export_bucket_name"], meter_id)
        yield f"meter {meter_id}: {count} items deleted"


def _require_known(
    dynamodb: "DynamoDBServiceResource", outputs: Mapping[str, str], contracts: list[str], meters: list[str]
) -> None:
    table = dynamodb.Table(outputs["contracts_table_name"])
    readings = dynamodb.Table(outputs["readings_table_name"])
    jobs = dynamodb.Table(outputs["export_jobs_table_name"])
    unknown = [
        f"contract {number}"
        for number in contracts
        # The first rows of a trail are those of events that came before any contract.
        if _is_empty(_partition(table, key_of(number)["pk"]["S"]))
        and _is_empty(_partition(table, partition_of(number, NO_CONTRACT)))
    ]
    unknown += [
        f"meter {meter_id}"
        for meter_id in meters
        if _is_empty(_partition(readings, meter_partition_of(meter_id)["S"]))
        and _is_empty(_query(jobs, Key("smart_meter_id").eq(meter_id), IndexName="by_meter"))
    ]
    if unknown:
        raise CommandError(f"nothing was deleted: there is no {', '.join(unknown)}")


def _is_empty(items: Iterator[Mapping[str, Any]]) -> bool:
    return next(items, None) is None


def _steps() -> Iterator[str]:
    stack = required_variable(os.environ, "STACK", "the name of the deployed stack")
    contracts, meters = (names_in(os.environ, variable) for variable in ("CONTRACTS", "METERS"))
    names = [*contracts, *meters]
    if not names:
        raise CommandError("CONTRACTS= or METERS= is required: what to delete, separated by commas")
    require_confirmation(os.environ, stack, f"this permanently deletes {', '.join(names)} from {stack}")
    outputs = stack_outputs(clients.cloudformation(), stack)
    yield from forget(clients.dynamodb_resource(), clients.s3(), outputs, contracts, meters)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
