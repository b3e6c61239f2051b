"""`make dlq` and `make redrive`: the messages that were given up, why, and back with them."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.contracts.trails import IdempotencyKeyReusedError
from domain.instants import EARLIEST, format_instant
from domain.meters.readings import MeterIsSimulatedError
from domain.meters.uploads import InvalidReadingsError
from infra.contracts.event_messages import MalformedMessageError, read_message
from infra.local.stack import Stack, printable, run
from infra.meters.reading_messages import has_readings, read_readings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

QUEUES = ("rule", "ingestion", "publisher", "export")
"""What gave the messages up: each has a dead letter queue of its own."""

_NEVER_REDRIVEN = {
    "publisher": "they name records of the stream, not messages to send again",
    "export": "their jobs have ended; ask for new exports",
}

_HOLD_SECONDS = 60
_PAGE = 10
_SHOWN = 160


class DeadLetter(NamedTuple):
    """A message in one of the dead letter queues."""

    queue: str
    receipt_handle: str
    sent_at: datetime
    body: str
    attributes: Mapping[str, str]

    @property
    def envelope_id(self) -> str | None:
        """The id that the bus gave the event."""
        envelope = _read(self.body)
        return envelope.get("id") if isinstance(envelope, dict) else None

    @property
    def said(self) -> str:
        """What the publisher said, in one line, cut where it gets long."""
        envelope = _read(self.body)
        detail = envelope.get("detail", envelope) if isinstance(envelope, dict) else envelope
        text = self.body if detail is None else json.dumps(detail, ensure_ascii=False)
        return printable(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _read(body: str) -> Any:  # noqa: ANN401 - whatever was sent
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@contextmanager
def held(sqs: "SQSClient", queue: str, url: str) -> Iterator[list[DeadLetter]]:
    """Take the letters of a queue into the hand, and put back those still there when the block ends.

    They are out of others' sight meanwhile, and come back by themselves should this process die.
    """
    letters: list[DeadLetter] = []
    try:
        while page := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_PAGE,
            VisibilityTimeout=_HOLD_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            letters += [_dead_letter_of(queue, message) for message in page]
        yield letters
    finally:
        for start in range(0, len(letters), _PAGE):
            sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
                    for index, letter in enumerate(letters[start : start + _PAGE])
                ],
            )


def _dead_letter_of(queue: str, message: Mapping[str, Any]) -> DeadLetter:
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    attributes = {
        name: str(value.get("StringValue")) for name, value in message.get("MessageAttributes", {}).items()
    }
    return DeadLetter(queue, message["ReceiptHandle"], sent_at, message["Body"], attributes)


def reason_of(letter: DeadLetter, stack: Stack) -> str:
    """Say why a message was given up."""
    if letter.queue == "rule":
        reasons = [letter.attributes.get(name) for name in ("ERROR_CODE", "ERROR_MESSAGE")]
        return printable(": ".join(filter(None, reasons))) or "the rule could not deliver it"
    if letter.queue == "publisher":
        told = _read(letter.body) or {}
        condition = told.get("requestContext", {}).get("condition", "unknown")
        batch = told.get("DDBStreamBatchInfo", {})
        return f"{condition}: {batch.get('batchSize')} records of the stream from {batch.get('startSequenceNumber')}"
    if letter.queue == "export":
        return "the worker never finished it; what has become of the job, its status says"
    return _mistake_in(letter.body, stack) or (
        "no mistake in it: applying it failed on every receive, the log of the function says how"
    )


def _mistake_in(body: str, stack: Stack) -> str | None:
    """Say what the ingestion function has against a message."""
    try:
        if has_readings(body):
            meter_id = read_readings(body, datetime.now(UTC)).meter_id
            return str(MeterIsSimulatedError(meter_id)) if stack.is_simulated(meter_id) else None
        decided = stack.decided([read_message(body).event], since=EARLIEST)
    except (MalformedMessageError, InvalidReadingsError) as error:
        return printable(str(error))
    return str(IdempotencyKeyReusedError()) if decided else None


def url_of(stack: Stack, queue: str) -> str:
    """Return the URL of the dead letter queue of `queue`."""
    return stack.outputs[f"{queue}_dead_letter_queue_url"]


def show(stack: Stack) -> int:
    """Print the letters of all queues, which stay where they are."""
    counts = []
    for queue in QUEUES:
        with held(stack.client("sqs"), queue, url_of(stack, queue)) as letters:
            for letter in letters:
                print(
                    f"{queue}  {format_instant(letter.sent_at)}  {reason_of(letter, stack)}\n    {letter.said}"
                )
            counts.append(f"{queue} {len(letters)}")
    print(f"dead letters: {', '.join(counts)}")
    return 0


def send_back(stack: Stack) -> int:
    """Send the letters of the rule and the ingestion function to the ingestion queue once more.

    Sent first, deleted then: dying in between sends a letter twice, which the id in its envelope makes
    harmless. AWS has StartMessageMoveTask for this; the emulator does not.
    """
    sqs: SQSClient = stack.client("sqs")
    for queue in ("rule", "ingestion"):
        url = url_of(stack, queue)
        with held(sqs, queue, url) as letters:
            for letter in letters:
                sqs.send_message(QueueUrl=stack.outputs["ingestion_queue_url"], MessageBody=letter.body)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.receipt_handle)
        print(f"{queue}: {len(letters)} sent back to the ingestion queue")
    for queue, reason in _NEVER_REDRIVEN.items():
        with held(sqs, queue, url_of(stack, queue)) as letters:
            if letters:
                print(f"{queue}: {len(letters)} stay: {reason}")
    return 0


def main(arguments: list[str]) -> int:
    """List the dead letters, or send them back."""
    command = send_back if arguments == ["redrive"] else show
    return run(lambda: command(Stack.of(os.environ)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
