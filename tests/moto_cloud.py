"""The service's tables, bucket, queue and secret on moto, in the process of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import boto3
from botocore.loaders import JSONFileLoader
from moto import mock_aws

from infra import aws
from tests.conftest import create_table

TABLES = {
    "ContractsTable": "contracts",
    "IdempotencyTable": "idempotency",
    "UsersTable": "users",
    "ThrottlesTable": "throttles",
    "PortfolioTable": "portfolio",
    "ReadingsTable": "readings",
    "ExportJobsTable": "export-jobs",
}

# moto only affects sessions that are created after its import.
boto3.DEFAULT_SESSION = None
aws.session.cache_clear()

# botocore reads its service models from disk again for each session.
_load = cache(JSONFileLoader().load_file)
JSONFileLoader.load_file = lambda _, path: _load(path)  # type: ignore[assignment,method-assign]


@contextmanager
def service_cloud() -> Iterator[None]:
    """Run moto during the context, with only the resources of template.yaml."""
    # Creating a session for each test would take longer than creating all tables; the clients are new anyway.
    # Its own credentials would stay in that session, and DynamoDB Local has separate tables for each access key.
    with mock_aws(config={"core": {"reset_boto3_session": False, "mock_credentials": False}}):
        for logical_id, name in TABLES.items():
            create_table(aws.dynamodb(), logical_id, name)
        aws.s3().create_bucket(
            Bucket="exports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        aws.sqs().create_queue(QueueName="exports")
        boto3.client("secretsmanager").create_secret(Name="signing", SecretString="s" * 64)
        yield
