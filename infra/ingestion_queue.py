"""The ingestion queue: when a message is delivered again, and sending a message as a new one."""

from typing import TYPE_CHECKING

from infra.telemetry import logger
from infra.write_outcomes import DEPENDENCY_ERRORS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_FIRST_DELAY_SECONDS = 5
_MAX_DELAY_SECONDS = 300

SHORT_DELAY_SECONDS = 1
"""The delay of a message that has failed for the last time, or that there was no time to process. Without a delay
SQS would deliver it while its batch is still being processed, alone, to another instance of the function."""


def delay_seconds(receives: int) -> int:
    """Return the delay of a message after `receives` receives: 5 s, doubled with each receive, at most 300 s."""
    return min(_FIRST_DELAY_SECONDS << (receives - 1), _MAX_DELAY_SECONDS)


def seconds_until_last_receive(max_receives: int) -> int:
    """Return how long after its arrival a message that fails each time is received for the last time."""
    return sum(delay_seconds(receives) for receives in range(1, max_receives))


class IngestionQueue:
    """Controls when a message that was not processed is delivered again."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self.client = client
        self.url = url

    def postpone(self, receipt_handle: str, seconds: int) -> None:
        """Have a message delivered again after `seconds` instead of after the queue's visibility timeout.

        If the request fails, it is logged, and the message is delivered again after that timeout.
        """
        try:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
        except DEPENDENCY_ERRORS as error:
            logger.warning("Visibility not changed", reason=str(error))

    def send_as_new(self, body: str) -> bool:
        """Send a message to the queue again, with no receives counted; return whether that succeeded.

        The caller deletes the original afterwards. A crash in between leaves the message in the queue twice, which is
        harmless because of the id in its envelope.
        """
        try:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)
        except DEPENDENCY_ERRORS as error:
            logger.warning("Message not sent again", reason=str(error))
            return False
        return True
