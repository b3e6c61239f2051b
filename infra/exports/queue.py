"""The queue between the API, which asks for exports, and the worker, which makes them."""

import json
from typing import TYPE_CHECKING

from infra.telemetry import logger
from infra.write_outcomes import DEPENDENCY_ERRORS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_RECEIVES = 3
"""Equals the queue's maxReceiveCount."""


class MalformedMessageError(Exception):
    """A message that this service did not send; it ends in the dead letter queue."""


class ExportQueue:
    """The queue of jobs to be done."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self.client = client
        self.url = url

    def send(self, job_id: str) -> None:
        """Ask for a job to be done; asked for twice it is done once."""
        self.client.send_message(QueueUrl=self.url, MessageBody=json.dumps({"job_id": job_id}))

    def postpone(self, receipt_handle: str, seconds: int) -> None:
        """Let a message that was received come back after `seconds`, and not after the queue's own time.

        Where this fails, the message comes back when the queue's time is over.
        """
        try:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
        except DEPENDENCY_ERRORS as error:
            logger.warning("Visibility not changed", reason=type(error).__name__)


def job_of(body: str) -> str:
    """Return the id of the job that a message asks for.

    Raises:
        MalformedMessageError: it asks for none.
    """
    try:
        job_id = json.loads(body)["job_id"]
    except (ValueError, TypeError, LookupError) as error:
        raise MalformedMessageError from error
    if not isinstance(job_id, str) or not job_id:
        raise MalformedMessageError
    return job_id
