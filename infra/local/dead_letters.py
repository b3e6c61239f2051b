"""`make dlq` and `make redrive`: list the dead letters with their reasons, and send them to the queue again."""

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
from infra.commands.run_command import run_command
from infra.contracts.event_messages import MalformedMessageError, read_message
from infra.local.stack import Stack, printable
from infra.meters.reading_messages import has_readings, read_readings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

QUEUES = ("rule", "ingestion", "publisher", "portfolio", "export")
"""The sources of dead letters: each has its own dead letter queue."""

_NEVER_REDRIVEN = {
    "publisher": "they name records of the stream, not messages to send again",
    "portfolio": "they name records of the stream: run `make rebuild-portfolio`",
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
        """The id that the bus assigned to the event."""
        envelope = _read(self.body)
        return envelope.get("id") if isinstance(envelope, dict) else None

    @property
    def summary(self) -> str:
        """The publisher's event in one line, cut if it is long."""
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
def received(sqs: "SQSClient", queue: str, url: str) -> Iterator[list[DeadLetter]]:
    """Receive all dead letters of a queue; when the block ends, those that were not deleted are visible again.

    During the block they are invisible to other receivers. If this process dies, the visibility timeout ends that.
    """
    dead_letters: list[DeadLetter] = []
    try:
        while page := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_PAGE,
            VisibilityTimeout=_HOLD_SECONDS,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            dead_letters += [_dead_letter_of(queue, message) for message in page]
        yield dead_letters
    finally:
        for start in range(0, len(dead_letters), _PAGE):
            sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": dead_letter.receipt_handle, "VisibilityTimeout": 0}
                    for index, dead_letter in enumerate(dead_letters[start : start + _PAGE])
                ],
            )


def _dead_letter_of(queue: str, message: Mapping[str, Any]) -> DeadLetter:
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    attributes = {
        name: str(value.get("StringValue")) for name, value in message.get("MessageAttributes", {}).items()
    }
    return DeadLetter(queue, message["ReceiptHandle"], sent_at, message["Body"], attributes)


def reason_of(dead_letter: DeadLetter, stack: Stack) -> str:
    """Return why a message became a dead letter."""
    if dead_letter.queue == "rule":
        reasons = [dead_letter.attributes.get(name) for name in ("ERROR_CODE", "ERROR_MESSAGE")]
        return printable(": ".join(filter(None, reasons))) or "the rule could not deliver it"
    if dead_letter.queue in ("publisher", "portfolio"):
        failure = _read(dead_letter.body) or {}
        condition = failure.get("requestContext", {}).get("condition", "unknown")
        batch = failure.get("DDBStreamBatchInfo", {})
        return f"{condition}: {batch.get('batchSize')} records of the stream from {batch.get('startSequenceNumber')}"
    if dead_letter.queue == "export":
        return "the worker never finished it; see the status of the job"
    return _error_in(dead_letter.body, stack) or (
        "the message is valid: applying it failed on every receive; see the log of the function"
    )


def _error_in(body: str, stack: Stack) -> str | None:
    """Return why the ingestion function cannot apply a message; None if the message is valid."""
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
    """Print the dead letters of all queues, and leave them there."""
    counts = []
    for queue in QUEUES:
        with received(stack.client("sqs"), queue, url_of(stack, queue)) as dead_letters:
            for one in dead_letters:
                print(f"{queue}  {format_instant(one.sent_at)}  {reason_of(one, stack)}\n    {one.summary}")
            counts.append(f"{queue} {len(dead_letters)}")
    print(f"dead letters: {', '.join(counts)}")
    return 0


def send_back(stack: Stack) -> int:
    """Send the dead letters of the rule and the ingestion function to the ingestion queue again.

    Each is sent first and deleted afterwards: a crash in between sends it twice, which is harmless because of the
    id in its envelope. AWS has StartMessageMoveTask for this; the emulator does not.
    """
    sqs: SQSClient = stack.client("sqs")
    for queue in ("rule", "ingestion"):
        url = url_of(stack, queue)
        with received(sqs, queue, url) as dead_letters:
            for one in dead_letters:
                sqs.send_message(QueueUrl=stack.outputs["ingestion_queue_url"], MessageBody=one.body)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one.receipt_handle)
        print(f"{queue}: {len(dead_letters)} sent back to the ingestion queue")
    for queue, reason in _NEVER_REDRIVEN.items():
        with received(sqs, queue, url_of(stack, queue)) as dead_letters:
            if dead_letters:
                print(f"{queue}: {len(dead_letters)} stay: {reason}")
    return 0


def main(arguments: list[str]) -> int:
    """List the dead letters, or send them back."""
    command = send_back if arguments == ["redrive"] else show
    return run_command(lambda: command(Stack.of(os.environ)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
