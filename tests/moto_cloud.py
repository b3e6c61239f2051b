"""The service's tables, bucket, queue and secret on moto, in the process of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache

import boto3
from botocore.loaders import JSONFileLoader
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.models import sqs_backends

from infra import aws
from tests import moto_speed
from tests.conftest import REGION, create_table

TABLES = {
    "ContractsTable": "contracts",
    "IdempotencyTable": "idempotency",
    "UsersTable": "users",
    "ThrottlesTable": "throttles",
    "PortfolioTable": "portfolio",
    "ReadingsTable": "readings",
    "ExportJobsTable": "export-jobs",
}

DEAD_LETTERS = ("rule", "ingestion", "publisher", "portfolio", "export")

# moto only affects sessions that are created after its import.
boto3.DEFAULT_SESSION = None
aws.session.cache_clear()

moto_speed.install()

# botocore reads its service models from disk again for each session.
_load = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, path: _load(path)  # type: ignore[assignment,method-assign]


@contextmanager
def service_cloud() -> Iterator[None]:
    """Run moto during the context, with only the resources of template.yaml.

    They are put into moto directly: sending the requests that create them would take ten times as long as most tests.
    """
    # Creating a session for each test would take longer than creating all tables; the clients are new anyway.
    # Its own credentials would stay in that session, and DynamoDB Local has separate tables for each access key.
    with mock_aws(config={"core": {"reset_boto3_session": False, "mock_credentials": False}}):
        dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables = {
            name: moto_speed.emptied(table) for name, table in _tables().items()
        }
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket("exports", REGION)
        for queue in ("exports", "ingestion", *(f"{name}-dead-letters" for name in DEAD_LETTERS)):
            sqs_backends[DEFAULT_ACCOUNT_ID][REGION].create_queue(queue)
        secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].create_secret(
            name="signing",
            secret_string="s" * 64,
            secret_binary=None,
            description=None,
            tags=None,
            kms_key_id=None,
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        yield


@cache
def _tables() -> dict[str, Table]:
    """Return moto's tables after their creation by requests; moto has to run."""
    for logical_id, name in TABLES.items():
        create_table(aws.dynamodb(), logical_id, name)
    return deepcopy(dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables)
