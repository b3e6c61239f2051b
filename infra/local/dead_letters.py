"""`make dlq` and `make redrive` without STACK: the dead letters of the local run."""

import os
import sys
from collections.abc import Iterator

from infra.commands.printing import printable
from infra.dead_letters import DeadLetter
from infra.local.stack import Stack
from infra.operate.command import run_steps
from infra.operate.dead_letters import Stage, chosen


def stage_of(stack: Stack) -> Stage:
    """Return the queues and tables of a local run; its queues have one server, so there is nothing to wait for."""
    return Stage(stack.client("sqs"), stack.client("dynamodb"), stack.outputs, wait_seconds=0)


def reason_of(letter: DeadLetter, stack: Stack) -> str:
    """Return why a message became a dead letter, in one line."""
    return printable(stage_of(stack).reasons().of(letter))


def _steps() -> Iterator[str]:
    yield from chosen(sys.argv[1:], stage_of(Stack.of(os.environ)))


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
