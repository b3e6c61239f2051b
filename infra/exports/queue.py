"""The queue between the API, which creates export jobs, and the worker, which makes their files."""

import json
from typing import TYPE_CHECKING

from infra.telemetry import logger
from infra.write_outcomes import DEPENDENCY_ERRORS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_RECEIVES = 3
"""Equals the queue's maxReceiveCount."""


class MalformedMessageError(Exception):
    """A message that this service did not send; it becomes a dead letter."""


class ExportQueue:
    """The queue of export jobs."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self.client = client
        self.url = url

    def send(self, job_id: str) -> None:
        """Send a job to the worker; a job that is sent twice is done once."""
        self.client.send_message(QueueUrl=self.url, MessageBody=json.dumps({"job_id": job_id}))

    def postpone(self, receipt_handle: str, seconds: int) -> None:
        """Have a message delivered again after `seconds` instead of after the queue's visibility timeout.

        If the request fails, it is logged, and the message is delivered again after that timeout.
        """
        try:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
        except DEPENDENCY_ERRORS as error:
            logger.warning("Visibility not changed", reason=type(error).__name__)


def job_of(body: str) -> str:
    """Return the id of the job in a message.

    Raises:
        MalformedMessageError: it has none.
    """
    try:
        job_id = json.loads(body)["job_id"]
    except (ValueError, TypeError, LookupError) as error:
        raise MalformedMessageError from error
    if not isinstance(job_id, str) or not job_id:
        raise MalformedMessageError
    return job_id
