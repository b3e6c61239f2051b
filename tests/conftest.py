"""Fixtures of the whole suite: tables as template.yaml has them, on moto, and the app above them.

What is slow to import, FastAPI and moto above all, is imported by the fixture that needs it: a file that
tests rules alone starts in less than a second.
"""

import gc
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import yaml

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from mypy_boto3_dynamodb import DynamoDBClient

    from infra.local.cloud import Emulator

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


# Fixtures that start something beside the tests: which kind it is, and which tests share a worker for it.
_STARTED = {
    "engine": ("engine", "engine"),
    "emulated": ("emulator", "emulated"),
    "deployed": ("emulator", "deployed"),
    "local_run": ("emulator", "local-run"),
}


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs an engine or the emulator, and keep on one worker what shares it."""
    for item in items:
        for fixture in _STARTED.keys() & set(getattr(item, "fixturenames", ())):
            kind, group = _STARTED[fixture]
            item.add_marker(kind)
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Take what the imports made out of the garbage collector's sight: it would look at all of it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the variables a function has, and nothing of the developer's own AWS."""
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
    """Drop what the code keeps for the life of a process."""
    from infra import aws
    from infra.settings import settings
    from infra.stores import stores

    for cached in (settings, stores, aws.dynamodb, aws.eventbridge, aws.s3, aws.sqs):
        cached.cache_clear()


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
    from tests.moto_cloud import service_cloud

    with service_cloud():
        yield


@pytest.fixture
def api(cloud: None) -> Iterator["TestClient"]:
    """Return a caller of the whole application."""
    from fastapi.testclient import TestClient

    from functions.api.app import create_app

    with TestClient(create_app(), raise_server_exceptions=False) as caller:
        yield caller


@pytest.fixture
def engine_api(
    engine: str, engine_client: "DynamoDBClient", environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator["TestClient"]:
    """Return a caller of the application above fresh tables of users and throttles on DynamoDB Local."""
    from fastapi.testclient import TestClient

    from functions.api.app import create_app

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", engine)
    monkeypatch.setenv("AUTH_MODE", "required")
    for variable, logical_id in (("USERS_TABLE", "UsersTable"), ("THROTTLES_TABLE", "ThrottlesTable")):
        monkeypatch.setenv(variable, name := f"{logical_id}-{uuid4().hex}")
        create_table(engine_client, logical_id, name)
    forget()
    with TestClient(create_app(), raise_server_exceptions=False) as caller:
        yield caller


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """Run DynamoDB Local; give its endpoint."""
    from tests.engines import dynamodb_local

    with dynamodb_local() as endpoint:
        yield endpoint


@pytest.fixture
def engine_client(engine: str) -> "DynamoDBClient":
    """Return a client of DynamoDB Local."""
    from tests.engines import client_of

    return client_of(engine)


@pytest.fixture
def engine_table(engine_client: "DynamoDBClient") -> str:
    """Create a table of contracts on DynamoDB Local; give its name."""
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
    """Run an emulated AWS with nothing in it; tests give what they create names of their own."""
    from infra.commands import processes
    from infra.local.cloud import emulator

    with emulator(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud
        processes.kill(cloud.process)  # there is nothing to keep
