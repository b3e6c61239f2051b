"""Fixtures of the whole suite: tables as template.yaml has them, on moto, and the app above them."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
import yaml
from botocore.loaders import JSONFileLoader
from fastapi.testclient import TestClient
from moto import mock_aws

from functions.api import dependencies as deps
from functions.api.app import create_app
from functions.api.meters import dependencies as meter_deps
from functions.api.users import dependencies as user_deps
from functions.exporter import handler as exporter
from functions.exporter import sweep
from functions.ingestion import handler as ingestion
from functions.publisher import handler as publisher
from infra import aws
from infra.meters import reading_messages as ingested_readings
from infra.settings import settings
from tests.engines import client_of, dynamodb_local

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
REGION = "eu-central-1"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "STAGE": "test",
    "AUTH_MODE": "open",
    "CONTRACTS_TABLE": "contracts",
    "READINGS_TABLE": "readings",
    "EXPORT_JOBS_TABLE": "export-jobs",
    "EXPORT_BUCKET": "exports",
    "EXPORT_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/exports",
    "SIGNING_SECRET": "signing",
    "IDEMPOTENCY_TABLE": "idempotency",
    "USERS_TABLE": "users",
    "THROTTLES_TABLE": "throttles",
    "REGISTRATION": "open",
    "POWERTOOLS_SERVICE_NAME": "energy-operations",
    "POWERTOOLS_METRICS_NAMESPACE": "EnergyOperations",
}

# The function refuses to start without: its module is imported before any fixture.
os.environ.update(ENVIRONMENT)


class _TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain values: a table's definition contains none that count."""


_TemplateLoader.add_multi_constructor("!", lambda _, suffix, node: f"{suffix} {node.value}")


# botocore reads its service models for each session, and moto makes a session for each test.
_load = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, path: _load(path)  # type: ignore[assignment,method-assign]


@cache
def read_template() -> dict[str, Any]:
    """Return template.yaml with its short tags as text."""
    return dict(yaml.load(TEMPLATE.read_text(), _TemplateLoader))  # noqa: S506 - a SafeLoader


def create_table(client: "DynamoDBClient", logical_id: str, name: str) -> None:
    """Create the table that template.yaml calls `logical_id`."""
    definition = read_template()["Resources"][logical_id]["Properties"]
    names = (
        "BillingMode",
        "AttributeDefinitions",
        "KeySchema",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
    )
    client.create_table(TableName=name, **{key: definition[key] for key in names if key in definition})


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the variables a function has, and nothing of the developer's own AWS."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    forget()
    yield
    forget()


def forget() -> None:
    """Drop what the code keeps for the life of a process."""
    for cached in (
        settings,
        aws.dynamodb,
        aws.eventbridge,
        aws.sqs,
        deps._contracts,
        deps._timelines,
        deps._trails,
        *user_deps.KEPT,
        ingestion._queue,
        ingestion._timelines,
        ingested_readings._meters,
        ingested_readings._readings,
        publisher._publisher,
    ):
        cached.cache_clear()
    for kept in (aws.s3, *meter_deps.KEPT, exporter.worker, exporter.queue, sweep.jobs, sweep.queue):
        kept.cache_clear()


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, float]]:
    """Return what tells how much each metric was given since it was asked last."""

    def since() -> dict[str, float]:
        found: Counter[str] = Counter()
        for line in capsys.readouterr().out.splitlines():
            if line.startswith('{"_aws"'):
                written = json.loads(line)
                for directive in written["_aws"]["CloudWatchMetrics"]:
                    for metric in directive["Metrics"]:
                        found[metric["Name"]] += sum(written[metric["Name"]])
        return dict(found)

    return since


@pytest.fixture
def cloud(environment: None) -> Iterator[None]:
    """Start moto with the service's tables and secret."""
    with mock_aws():
        create_table(aws.dynamodb(), "ContractsTable", "contracts")
        create_table(aws.dynamodb(), "IdempotencyTable", "idempotency")
        create_table(aws.dynamodb(), "UsersTable", "users")
        create_table(aws.dynamodb(), "ThrottlesTable", "throttles")
        create_table(aws.dynamodb(), "ReadingsTable", "readings")
        create_table(aws.dynamodb(), "ExportJobsTable", "export-jobs")
        aws.s3().create_bucket(
            Bucket="exports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        aws.sqs().create_queue(QueueName="exports")
        boto3.client("secretsmanager").create_secret(Name="signing", SecretString="s" * 64)
        yield


@pytest.fixture
def api(cloud: None) -> Iterator[TestClient]:
    """Return a caller of the whole application."""
    with TestClient(create_app(), raise_server_exceptions=False) as caller:
        yield caller


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """Run DynamoDB Local; give its endpoint."""
    with dynamodb_local() as endpoint:
        yield endpoint


@pytest.fixture
def engine_client(engine: str) -> "DynamoDBClient":
    """Return a client of DynamoDB Local."""
    return client_of(engine)


@pytest.fixture
def engine_table(engine_client: "DynamoDBClient") -> str:
    """Create a table of contracts on DynamoDB Local; give its name."""
    name = f"contracts-{uuid4().hex}"
    create_table(engine_client, "ContractsTable", name)
    return name
