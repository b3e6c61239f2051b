"""The ingestion queue, as the function that empties it sees it."""

from typing import TYPE_CHECKING

from infra.aws import DEPENDENCY_ERRORS
from infra.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_FIRST_DELAY_SECONDS = 5
_MAX_DELAY_SECONDS = 300

GIVE_UP_DELAY_SECONDS = 1
"""How long a message rests that is given up, or that there was no time for. At once would be while its batch is
still worked on: each such message would come again alone, to another instance of the function."""


def delay_seconds(receives: int) -> int:
    """Return how long a message rests after it was received `receives` times: 5 s, doubled, at most 300 s."""
    return min(_FIRST_DELAY_SECONDS << (receives - 1), _MAX_DELAY_SECONDS)


class IngestionQueue:
    """Says when a message that goes back to the queue comes again."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self.client = client
        self.url = url

    def postpone(self, receipt_handle: str, seconds: int) -> None:
        """Let a message come again after `seconds` instead of the queue's visibility timeout.

        Only a wish: where it fails, the message comes again when that timeout is over.
        """
        try:
            self.client.change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )
        except DEPENDENCY_ERRORS as error:
            logger.warning("Visibility not changed", reason=str(error))

    def send_anew(self, body: str) -> bool:
        """Put a message on the queue once more, as one that was never received; say whether that worked.

        Whoever deletes the original afterwards loses nothing: dying in between leaves the message twice, which
        the id in its envelope makes harmless.
        """
        try:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)
        except DEPENDENCY_ERRORS as error:
            logger.warning("Message not sent anew", reason=str(error))
            return False
        return True
