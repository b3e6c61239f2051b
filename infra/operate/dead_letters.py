"""`make dlq` and `make redrive`: list the dead letters with their reasons, and send them to the queue again."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from domain.instants import format_instant
from infra.commands.printing import printable
from infra.contracts.contract_store import ContractStore
from infra.contracts.trail_store import TrailStore
from infra.dead_letter_reasons import Reasons
from infra.dead_letters import MOST_LISTED, NEVER_REDRIVEN, QUEUES, REDRIVEN, DeadLetter, received, redrive
from infra.meters.meter_store import MeterStore
from infra.operate import clients
from infra.operate.command import required_variable, run_steps, stack_outputs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_SHOWN = 160


class Stage(NamedTuple):
    """Where the dead letters of a stage are, and what explains them; `outputs` are those of its stack."""

    sqs: "SQSClient"
    dynamodb: "DynamoDBClient"
    outputs: Mapping[str, str]
    wait_seconds: int = 1

    def url_of(self, queue: str) -> str:
        """Return the URL of the dead letter queue of `queue`."""
        return self.outputs[f"{queue}_dead_letter_queue_url"]

    def reasons(self) -> Reasons:
        """Return what finds the reasons in the tables of the stage."""
        contracts = self.outputs["contracts_table_name"]
        return Reasons(
            ContractStore(self.dynamodb, contracts),
            TrailStore(self.dynamodb, contracts),
            MeterStore(self.dynamodb, self.outputs["readings_table_name"]),
        )


def summary_of(letter: DeadLetter) -> str:
    """Return the publisher's event in one line, cut if it is long."""
    text = letter.body if letter.detail is None else json.dumps(letter.detail, ensure_ascii=False)
    return printable(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def show(stage: Stage) -> Iterator[str]:
    """Yield a line for each dead letter of all queues, and leave them there."""
    counts = []
    reasons = stage.reasons()
    for queue in QUEUES:
        with received(stage.sqs, queue, stage.url_of(queue), wait_seconds=stage.wait_seconds) as dead_letters:
            for letter in dead_letters:
                reason = printable(reasons.of(letter))
                yield f"{queue}  {format_instant(letter.sent_at)}  {reason}\n    {summary_of(letter)}"
            more = "+" if len(dead_letters) >= MOST_LISTED else ""
            counts.append(f"{queue} {len(dead_letters)}{more}")
    yield f"dead letters: {', '.join(counts)}"


def send_back(stage: Stage, now: datetime) -> Iterator[str]:
    """Send the dead letters of the rule and the ingestion function to the ingestion queue again.

    AWS has StartMessageMoveTask for this, but not for the dead letters of a rule.
    """
    for queue in REDRIVEN:
        urls = stage.url_of(queue), stage.outputs["ingestion_queue_url"]
        count = redrive(stage.sqs, queue, urls, now, wait_seconds=stage.wait_seconds)
        yield f"{queue}: {count} sent back to the ingestion queue"
    for queue, reason in NEVER_REDRIVEN.items():
        with received(stage.sqs, queue, stage.url_of(queue), wait_seconds=stage.wait_seconds) as stay:
            if stay:
                yield f"{queue}: {len(stay)} stay: {reason}"


def chosen(arguments: list[str], stage: Stage) -> Iterator[str]:
    """Return the steps of what the command line asks for."""
    return send_back(stage, datetime.now(UTC)) if arguments == ["redrive"] else show(stage)


def _steps() -> Iterator[str]:
    stack = required_variable(os.environ, "STACK", "the name of the deployed stack")
    outputs = stack_outputs(clients.cloudformation(), stack)
    yield from chosen(sys.argv[1:], Stage(clients.sqs(), clients.dynamodb(), outputs))


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
