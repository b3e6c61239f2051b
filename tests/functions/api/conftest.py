"""What stands between a caller and a finished export."""

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from functions.exporter.handler import handler
from infra import aws
from infra.settings import ExportSettings, settings


@pytest.fixture
def work(api: TestClient) -> Callable[[], None]:
    """Return what lets the worker have the messages that are in the queue."""

    def receive_and_handle() -> None:
        url = settings(ExportSettings).export_queue_url
        answer = aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
        for message in answer.get("Messages", []):
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            assert handler({"Records": [record]}, None) == {"batchItemFailures": []}  # type: ignore[arg-type]
            aws.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    return receive_and_handle
