"""Engines for the tests of the stores."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.conftest import create_table
from tests.engines import client_of, dynamodb_local

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
