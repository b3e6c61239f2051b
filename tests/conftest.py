"""Fixtures of the whole suite: the tables of template.yaml on moto or DynamoDB Local, and the application.

Slow imports, above all FastAPI and moto, are inside the fixtures that need them: a file that tests only rules
starts in less than a second.
"""

import gc
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from logging import StreamHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import yaml

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from mypy_boto3_dynamodb import DynamoDBClient

    from infra.local.emulator import Emulator

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
    "PORTFOLIO_TABLE": "portfolio",
    "EVENT_LOG_DAYS": "30",
    "READINGS_TABLE": "readings",
    "EXPORT_JOBS_TABLE": "export-jobs",
    "EXPORT_BUCKET": "exports",
    "EXPORT_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/exports",
    "INGESTION_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/ingestion",
    **{
        f"{queue.upper()}_DEAD_LETTER_QUEUE_URL": (
            f"https://sqs.{REGION}.amazonaws.com/123456789012/{queue}-dead-letters"
        )
        for queue in ("rule", "ingestion", "publisher", "portfolio", "export")
    },
    "SIGNING_SECRET": "signing",
    "IDEMPOTENCY_TABLE": "idempotency",
    "USERS_TABLE": "users",
    "THROTTLES_TABLE": "throttles",
    "REGISTRATION": "open",
    "POWERTOOLS_SERVICE_NAME": "energy-operations",
    "POWERTOOLS_METRICS_NAMESPACE": "EnergyOperations",
}

# Set here, because the function's module refuses to load without these, and is imported before any fixture runs.
os.environ.update(ENVIRONMENT)


class _TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain text: in definitions of tables they do not matter."""


_TemplateLoader.add_multi_constructor("!", lambda _, suffix, node: f"{suffix} {node.value}")


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


# Fixtures that start a process: its kind, and the group of tests that share a worker because of it, unless all workers
# share the process.
_STARTED = {
    "engine": ("engine", None),
    "emulated": ("emulator", "emulated"),
    "deployed": ("emulator", "deployed"),
    "local_run": ("emulator", "local-run"),
    "first_run": ("emulator", "local-run"),
}


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that need an engine or the emulator, and run those that share one on the same worker."""
    for item in items:
        for fixture in _STARTED.keys() & set(getattr(item, "fixturenames", ())):
            kind, group = _STARTED[fixture]
            item.add_marker(kind)
            if group:
                item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Collect garbage less often, and never among the objects of the imports: both take a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the environment of a function, and nothing of the developer's AWS configuration."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    _forget_if_loaded()
    yield
    _forget_if_loaded()


def _forget_if_loaded() -> None:
    if "infra.settings" in sys.modules:  # every cache is filled from the settings
        forget()


def forget() -> None:
    """Clear everything that the code caches for the life of a process."""
    from infra import aws
    from infra.settings import settings
    from infra.stores import stores

    for cached in (settings, stores, aws.dynamodb, aws.eventbridge, aws.s3, aws.secrets_manager, aws.sqs):
        cached.cache_clear()


@pytest.fixture
def counted(capsys: pytest.CaptureFixture[str]) -> Callable[[], dict[str, float]]:
    """Return a function that returns the sum of each metric since its last call."""

    def since_last_call() -> dict[str, float]:
        lines = capsys.readouterr().out.splitlines()
        sums: Counter[str] = Counter()
        for written in (json.loads(line) for line in lines if line.startswith('{"_aws"')):
            directives = written["_aws"]["CloudWatchMetrics"]
            for name in (metric["Name"] for directive in directives for metric in directive["Metrics"]):
                sums[name] += sum(written[name])
        return dict(sums)

    return since_last_call


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that returns the log lines so far; a line that is not JSON is an error."""
    from infra.telemetry import logger

    handler = logger.registered_handler
    assert isinstance(handler, StreamHandler)
    written = io.StringIO()
    before = handler.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    handler.setStream(before)


@pytest.fixture
def cloud(environment: None) -> Iterator[None]:
    """Start moto with the service's tables and secret."""
    from tests.moto_cloud import service_cloud

    with service_cloud():
        yield


@cache
def application() -> "FastAPI":
    """Return the application, which keeps no state; to build its routes takes longer than most tests."""
    from functions.api.app import create_app

    return create_app()


@pytest.fixture
def api(cloud: None) -> "TestClient":
    """Return a client of the whole application."""
    from tests.api_client import ApiClient

    return ApiClient(application())


@pytest.fixture
def engine_api(
    engine: str, engine_client: "DynamoDBClient", environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator["TestClient"]:
    """Return a client of the application, with new tables of users and throttles on DynamoDB Local."""
    from fastapi.testclient import TestClient

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", engine)
    monkeypatch.setenv("AUTH_MODE", "required")
    for variable, logical_id in (("USERS_TABLE", "UsersTable"), ("THROTTLES_TABLE", "ThrottlesTable")):
        monkeypatch.setenv(variable, name := f"{logical_id}-{uuid4().hex}")
        create_table(engine_client, logical_id, name)
    forget()
    with TestClient(application(), raise_server_exceptions=False) as caller:
        yield caller


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run DynamoDB Local, one for all workers; yields its endpoint."""
    from tests.engines import dynamodb_local, shared

    own = tmp_path_factory.getbasetemp()
    with shared(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own, dynamodb_local) as endpoint:
        yield endpoint


@pytest.fixture
def engine_client(engine: str) -> "DynamoDBClient":
    """Return a client of DynamoDB Local."""
    from tests.engines import client_of

    return client_of(engine)


@pytest.fixture
def engine_table(engine_client: "DynamoDBClient") -> str:
    """Create a contracts table on DynamoDB Local; return its name."""
    name = f"contracts-{uuid4().hex}"
    create_table(engine_client, "ContractsTable", name)
    return name


@pytest.fixture
def engine_portfolio(engine_client: "DynamoDBClient") -> str:
    """Create a table of the portfolio on DynamoDB Local; give its name."""
    name = f"portfolio-{uuid4().hex}"
    create_table(engine_client, "PortfolioTable", name)
    return name


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Emulator]":
    """Run an empty emulated AWS; tests use their own names for what they create."""
    from infra.commands import processes
    from infra.local.emulator import emulator

    with emulator(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud
        processes.kill(cloud.process)  # its state need not be saved
