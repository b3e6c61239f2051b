"""The AWS clients of the commands: with the credentials, region and profile of the person who runs them.

They keep boto3's own time limits and its validation of parameters, unlike those of infra/aws.py: no caller waits
for an answer here, and the arguments are typed by hand.
"""

from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


def cloudformation() -> "CloudFormationClient":
    """Return the CloudFormation client."""
    return boto3.client("cloudformation")


def dynamodb() -> "DynamoDBClient":
    """Return the DynamoDB client."""
    return boto3.client("dynamodb")


def dynamodb_resource() -> "DynamoDBServiceResource":
    """Return DynamoDB with tables as objects, which write in batches and repeat what was throttled."""
    return boto3.resource("dynamodb")


def s3() -> "S3Client":
    """Return the S3 client."""
    return boto3.client("s3")


def sqs() -> "SQSClient":
    """Return the SQS client."""
    return boto3.client("sqs")
