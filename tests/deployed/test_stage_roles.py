"""Each role may do only what its function does: these tests try every call with every role.

The emulated AWS decides by the deployed policies. It does not support `dynamodb:LeadingKeys`, so the tests of the
template check which rows a role may write. It compares the ARN of a log group without the `:*` that AWS requires in
policies, so these tests do not try to write logs.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.deployed.stage import Stage

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_KEYS = {
    "contracts": ("pk", "sk"),
    "portfolio": ("pk", "sk"),
    "readings": ("pk", "sk"),
    "export_jobs": ("job_id",),
    "users": ("pk", "sk"),
    "throttles": ("pk",),
    "idempotency": ("id",),
}
_DEAD_LETTERS = tuple(
    f"{source}_dead_letter" for source in ("ingestion", "rule", "publisher", "portfolio", "export")
)
_QUEUES = ("ingestion", "export", *_DEAD_LETTERS)

_RECEIVE = {"receive", "delete_message", "hide"}

ALLOWED = {
    "ApiRole": {
        *{
            f"{call} contracts"
            for call in ("get", "put", "update", "query", "query listing", "query by_arrival")
        },
        *{f"{call} portfolio" for call in ("get", "query")},
        *{f"{call} readings" for call in ("get", "batch_get", "put", "update", "query", "query listing")},
        *{f"{call} export_jobs" for call in ("get", "batch_get", "put", "query by_meter", "query by_owner")},
        *{
            f"{call} users"
            for call in ("get", "batch_get", "put", "update", "delete", "query", "query listing")
        },
        *{f"{call} throttles" for call in ("get", "put", "update")},
        *{f"{call} idempotency" for call in ("get", "put", "update", "delete")},
        *("send export", "send ingestion"),
        *{f"{call} {queue}" for call in ("receive", "hide") for queue in _DEAD_LETTERS},
        *{f"delete_message {queue}_dead_letter" for queue in ("rule", "ingestion")},
        "read file",
        "list files",
        "read secret",
    },
    "IngestionRole": {
        *{f"{call} contracts" for call in ("put", "update")},
        *{f"{call} readings" for call in ("get", "batch_get", "put", "update", "query")},
        *{f"{call} ingestion" for call in _RECEIVE},
        "send ingestion",
    },
    "PublisherRole": {"publish", "send publisher_dead_letter"},
    "PortfolioRole": {
        *{f"{call} portfolio" for call in ("get", "put", "update", "delete")},
        "send portfolio_dead_letter",
    },
    "ExportRole": {
        *{f"{call} export_jobs" for call in ("get", "put")},
        *{f"{call} contracts" for call in ("batch_get", "query listing", "query by_arrival")},
        *{f"{call} readings" for call in ("get", "query")},
        *{f"{call} export" for call in _RECEIVE},
        "write file",
        "delete file",
        "list files",
    },
    "ExportSweepRole": {
        *{f"{call} export_jobs" for call in ("get", "put", "query open")},
        "send export",
    },
}

_INDICES = {
    "contracts": {"listing": "kind", "by_arrival": "pk"},
    "readings": {"listing": "listed_as"},
    "export_jobs": {"by_meter": "smart_meter_id", "by_owner": "owner", "open": "open"},
    "users": {"listing": "kind"},
}

Clients = Callable[[str], Any]
Call = tuple[str, Callable[[Clients], object]]


def on(service: str, method: str, **arguments: Any) -> Callable[[Clients], object]:
    return lambda clients: getattr(clients(service), method)(**arguments)


def calls(stage: Stage) -> Iterator[Call]:
    """Yield calls with their names; writes to tables have a condition that never holds."""
    outputs = stage.outputs
    for table, names in _KEYS.items():
        yield from _on_table(table, outputs[f"{table}_table_name"], names)
    for queue in _QUEUES:
        yield from _on_queue(queue, outputs[f"{queue}_queue_url"])
    bucket, secret = outputs["export_bucket_name"], outputs["signing_secret_arn"]
    file = {"Bucket": bucket, "Key": "exports/unknown/none.csv"}
    yield "read file", on("s3", "get_object", **file)
    yield "write file", on("s3", "put_object", **file, Body=b"")
    yield "delete file", on("s3", "delete_object", **file)
    yield "list files", on("s3", "list_objects_v2", Bucket=bucket, Prefix="exports/")
    yield "write elsewhere", on("s3", "put_object", Bucket=bucket, Key="other.csv", Body=b"")
    yield "delete bucket", on("s3", "delete_bucket", Bucket=bucket)
    yield "read secret", on("secretsmanager", "get_secret_value", SecretId=secret)
    yield "change secret", on("secretsmanager", "put_secret_value", SecretId=secret, SecretString="{}")
    entry = {"Source": "probe", "DetailType": "probe", "Detail": "{}"}
    yield (
        "publish",
        on("events", "put_events", Entries=[{**entry, "EventBusName": outputs["event_bus_name"]}]),
    )
    for function in ("api", "ingestion"):
        name = outputs[f"{function}_function_name"]
        yield f"invoke {function}", on("lambda", "invoke", FunctionName=name)
    yield "read roles", on("iam", "list_roles")


def _on_table(table: str, name: str, key_names: tuple[str, ...]) -> Iterator[Call]:
    key = {part: {"S": "CONTRACT#probe"} for part in key_names}
    never = {"TableName": name, "ConditionExpression": "attribute_exists(never)"}
    yield f"get {table}", on("dynamodb", "get_item", TableName=name, Key=key)
    yield f"batch_get {table}", on("dynamodb", "batch_get_item", RequestItems={name: {"Keys": [key]}})
    yield f"put {table}", on("dynamodb", "put_item", Item=key, **never)
    yield f"update {table}", on("dynamodb", "update_item", Key=key, **never)
    yield f"delete {table}", on("dynamodb", "delete_item", Key=key, **never)
    yield f"scan {table}", on("dynamodb", "scan", TableName=name, Limit=1)
    yield f"drop {table}", on("dynamodb", "delete_table", TableName=name)
    for index, attribute in {"": key_names[0], **_INDICES.get(table, {})}.items():
        query: dict[str, Any] = {
            "TableName": name,
            "KeyConditionExpression": "#k = :k",
            "ExpressionAttributeNames": {"#k": attribute},
            "ExpressionAttributeValues": {":k": {"S": "probe"}},
            **({"IndexName": index} if index else {}),
        }
        yield f"query {index} {table}" if index else f"query {table}", on("dynamodb", "query", **query)


def _on_queue(queue: str, url: str) -> Iterator[Call]:
    receipt = {"QueueUrl": url, "ReceiptHandle": "probe"}
    yield f"send {queue}", on("sqs", "send_message", QueueUrl=url, MessageBody="probe")
    yield f"receive {queue}", on("sqs", "receive_message", QueueUrl=url, VisibilityTimeout=0)
    yield f"delete_message {queue}", on("sqs", "delete_message", **receipt)
    yield f"hide {queue}", on("sqs", "change_message_visibility", **receipt, VisibilityTimeout=0)
    yield f"purge {queue}", on("sqs", "purge_queue", QueueUrl=url)


def is_allowed(call: Callable[[Clients], object], clients: Clients) -> bool:
    """Return whether the caller's role permits a call; the call may fail for other reasons."""
    try:
        call(clients)
    except ClientError as error:
        return error.response["Error"]["Code"] not in _DENIED
    return True


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_may_do_only_what_its_function_does(stage: Stage, role: str) -> None:
    clients = cache(lambda service: stage.client_as(role, service))
    tried = {name: is_allowed(call, clients) for name, call in calls(stage)}
    assert len(tried) > 90
    assert {name for name, allowed in tried.items() if allowed} == ALLOWED[role]


def test_a_caller_with_all_permissions_is_never_refused(stage: Stage) -> None:
    """The role is the reason for a refusal, and not the form of the call; tried only with harmless calls."""
    harmless = (
        "get",
        "batch_get",
        "query",
        "scan",
        "read",
        "list",
        "put",
        "update",
        "delete_message",
        "hide",
    )
    tried = [(name, call) for name, call in calls(stage) if name.split()[0] in harmless]
    assert len(tried) > 50
    assert [name for name, call in tried if not is_allowed(call, stage.cloud.client)] == []
