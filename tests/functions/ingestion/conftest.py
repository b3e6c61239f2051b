"""A queue, its dead letter queue and the tables on an emulated AWS, and a poller like Lambda's."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from functions.ingestion import handler as ingestion
from infra import aws
from infra.contracts.contract_store import ContractStore
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.local.emulator import Emulator
from tests.conftest import create_table

MAX_RECEIVES = 3


@dataclass
class Context:
    """What Lambda tells a function of an invocation, as far as it is read."""

    aws_request_id: str = field(default_factory=lambda: uuid4().hex)
    seconds_left: Callable[[], float] = lambda: 30

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * self.seconds_left())


class Ingestion:
    """The ingestion function between a queue and a table of contracts."""

    def __init__(self, table: str, queue: str, dead_letters: str) -> None:
        self.queue, self.dead_letters = queue, dead_letters
        self.contracts = ContractStore(aws.dynamodb(), table)
        self.timelines = TimelineStore(aws.dynamodb(), table, audited=True)
        self.trails = TrailStore(aws.dynamodb(), table)

    def send(self, *bodies: str) -> None:
        """Put messages on the queue."""
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(index), "MessageBody": body}
                for index, body in enumerate(bodies[start : start + 10])
            ]
            aws.sqs().send_message_batch(QueueUrl=self.queue, Entries=entries)  # type: ignore[arg-type]

    def receive(self) -> list[dict[str, Any]]:
        """Take up to ten messages, in the form Lambda hands them to a function."""
        answer = aws.sqs().receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            for message in answer.get("Messages", [])
        ]

    def handle(self, records: list[dict[str, Any]], context: Context | None = None) -> set[str]:
        """Invoke the function with `records`; give the ids that failed."""
        answer = ingestion.handler({"Records": records}, context or Context())  # type: ignore[arg-type]
        return {str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]}

    def drain(self, rounds: int = 200) -> None:
        """Poll as Lambda does until nothing is left to be received."""
        for _ in range(rounds):
            records = self.receive()
            if not records and not self.waiting():
                return
            failed = self.handle(records)
            for record in records:
                if record["messageId"] not in failed:
                    aws.sqs().delete_message(QueueUrl=self.queue, ReceiptHandle=record["receiptHandle"])
        raise AssertionError("the queue does not become empty")

    def waiting(self) -> int:
        """Count the messages that are in the queue or out for work."""
        answer = aws.sqs().get_queue_attributes(QueueUrl=self.queue, AttributeNames=["All"])["Attributes"]
        return int(answer["ApproximateNumberOfMessages"]) + int(
            answer["ApproximateNumberOfMessagesNotVisible"]
        )

    def dead(self) -> list[str]:
        """Read the bodies of the dead letters."""
        bodies: list[str] = []
        while True:
            answer = aws.sqs().receive_message(QueueUrl=self.dead_letters, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                return bodies
            bodies += [message["Body"] for message in answer["Messages"]]


@pytest.fixture
def ingestion_of(emulated: Emulator, monkeypatch: pytest.MonkeyPatch) -> Ingestion:
    """Return the function between a fresh queue and a fresh table."""
    name = uuid4().hex
    for variable, value in emulated.variables.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("CONTRACTS_TABLE", name)
    monkeypatch.setenv("MAX_RECEIVES", str(MAX_RECEIVES))
    create_table(aws.dynamodb(), "ContractsTable", name)
    dead_letters = aws.sqs().create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = aws.sqs().get_queue_attributes(QueueUrl=dead_letters, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(MAX_RECEIVES)})
    queue = aws.sqs().create_queue(
        QueueName=name, Attributes={"VisibilityTimeout": "180", "RedrivePolicy": redrive}
    )["QueueUrl"]
    monkeypatch.setenv("INGESTION_QUEUE_URL", queue)
    return Ingestion(name, queue, dead_letters)


def envelope(detail: Any, **changes: Any) -> str:
    """Return the body of a message as the bus writes it."""
    return json.dumps(
        {
            "version": "0",
            "id": str(uuid4()),
            "detail-type": "component_event",
            "source": "crm",
            "account": "111122223333",
            "time": "2023-12-01T09:30:00Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": detail,
        }
        | changes
    )


def detail(**changes: Any) -> dict[str, Any]:
    """Return a start of contract 1001."""
    return {
        "type": "supply_energy_start",
        "contract_number": "1001",
        "date": "2024-01-01",
        "created_at": "2023-12-01T00:00:00Z",
    } | changes
