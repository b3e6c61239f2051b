"""The dead letters: what could not be delivered, applied, published or exported; listing it, and sending it again."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from infra.time_left import IsTimeLeft, always

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

QUEUES = ("rule", "ingestion", "publisher", "portfolio", "export")
"""The sources of dead letters: each has its own dead letter queue."""

REDRIVEN = ("rule", "ingestion")
"""The sources whose dead letters are events, which the ingestion queue takes again."""

NEVER_REDRIVEN = {
    "publisher": "they name records of the stream, not messages to send again: run `make announce`",
    "portfolio": "they name records of the stream: run `make rebuild-portfolio`",
    "export": "their jobs have ended; ask for new exports",
}

MOST_LISTED = 1000
"""Dead letters of one queue that are received at once."""

_HOLD_SECONDS = 60
_PAGE = 10


class DeadLetter(NamedTuple):
    """A message in one of the dead letter queues."""

    queue: str
    message_id: str
    receipt_handle: str
    sent_at: datetime
    body: str
    attributes: Mapping[str, str]
    receives: int = 1
    first_received_at: datetime | None = None

    @property
    def content(self) -> Any:  # noqa: ANN401 - whatever was sent
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def envelope_id(self) -> str | None:
        """The id that the bus assigned to the event."""
        return self.content.get("id") if isinstance(self.content, dict) else None

    @property
    def detail(self) -> Any:  # noqa: ANN401 - whatever was sent
        """What the publisher sent, or the whole content if it is no envelope; None if it is no JSON."""
        content = self.content
        return content.get("detail", content) if isinstance(content, dict) else content


class Selection(NamedTuple):
    """Which dead letters to send again: all, or only those with some message ids.

    What was sent at or after `before`, when the redrive began, has become a dead letter again in the meantime, and stays.
    """

    before: datetime
    only: Collection[str] | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Return whether a dead letter is to be sent."""
        return letter.sent_at < self.before and (self.only is None or letter.message_id in self.only)

    def has_more_than(self, number: int) -> bool:
        """Return whether it may select more than `number`."""
        return self.only is None or len(self.only) > number


@contextmanager
def received(
    sqs: "SQSClient", queue: str, url: str, *, most: int = MOST_LISTED, wait_seconds: int = 1
) -> Iterator[list[DeadLetter]]:
    """Receive the dead letters of a queue, at most `most`; when the block ends, those not deleted are visible again.

    During the block they are invisible to other receivers. If this process dies, the visibility timeout ends that.
    Without waiting, SQS asks only some of its servers and may find nothing; an emulator needs no `wait_seconds`.
    """
    held: dict[str, DeadLetter] = {}
    try:
        while len(held) < most and (page := _receive(sqs, queue, url, most - len(held), wait_seconds)):
            if all(letter.message_id in held for letter in page):
                break  # received for longer than they are held: the queue has no others
            held |= {letter.message_id: letter for letter in page}
        yield list(held.values())
    finally:
        _release(sqs, url, held.values())


def redrive(
    sqs: "SQSClient",
    queue: str,
    urls: tuple[str, str],
    selection: Selection,
    *,
    wait_seconds: int = 1,
    is_time_left: IsTimeLeft = always,
) -> list[str]:
    """Send dead letters to the ingestion queue again and delete them; return their message ids.

    Each is sent first and deleted afterwards: a crash in between sends it twice, which its id makes harmless.

    Args:
        sqs: The client.
        queue: One of REDRIVEN.
        urls: Of its dead letter queue, and of the ingestion queue.
        selection: Which to send.
        wait_seconds: As for `received`.
        is_time_left: Asked before each receive; without time left the rest stays.
    """
    url, target = urls
    held: dict[str, DeadLetter] = {}
    sent: list[str] = []
    try:
        while selection.has_more_than(len(sent)) and is_time_left():
            page = _receive(sqs, queue, url, _PAGE, wait_seconds)
            if all(letter.message_id in held for letter in page):
                return sent
            # Without their bodies, which could fill the memory: those that stay are only made visible again.
            held |= {letter.message_id: letter._replace(body="") for letter in page}
            for letter in page:
                if selection.takes(letter):
                    sqs.send_message(QueueUrl=target, MessageBody=letter.body)
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.receipt_handle)
                    del held[letter.message_id]
                    sent.append(letter.message_id)
    finally:
        _release(sqs, url, held.values())
    return sent


def _receive(sqs: "SQSClient", queue: str, url: str, most: int, wait_seconds: int) -> list[DeadLetter]:
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(most, _PAGE),
        VisibilityTimeout=_HOLD_SECONDS,
        WaitTimeSeconds=wait_seconds,
        MessageSystemAttributeNames=[
            "SentTimestamp",
            "ApproximateReceiveCount",
            "ApproximateFirstReceiveTimestamp",
        ],
        MessageAttributeNames=["All"],
    )
    return [_dead_letter_of(queue, message) for message in answer.get("Messages", [])]


def _dead_letter_of(queue: str, message: Mapping[str, Any]) -> DeadLetter:
    known = message["Attributes"]
    first = known.get("ApproximateFirstReceiveTimestamp")
    attributes = {
        name: str(value.get("StringValue")) for name, value in message.get("MessageAttributes", {}).items()
    }
    return DeadLetter(
        queue,
        message["MessageId"],
        message["ReceiptHandle"],
        _instant(known["SentTimestamp"]),
        message["Body"],
        attributes,
        int(known.get("ApproximateReceiveCount", 1)),
        _instant(first) if first else None,
    )


def _instant(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _release(sqs: "SQSClient", url: str, held: Iterable[DeadLetter]) -> None:
    """Make messages visible to others again; one that was deleted meanwhile is no error."""
    letters = list(held)
    for start in range(0, len(letters), _PAGE):
        sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(index), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
                for index, letter in enumerate(letters[start : start + _PAGE])
            ],
        )
