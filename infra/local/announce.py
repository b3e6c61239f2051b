"""`make announce` without STACK: publishes the current timelines of named contracts on the bus of the local run."""

import os
import sys
from collections.abc import Iterator

from infra.contracts.timeline_changes import ChangePublisher
from infra.local.stack import Stack
from infra.operate.announce import announce, named_contracts
from infra.operate.command import run_steps


def _steps() -> Iterator[str]:
    numbers, stack = named_contracts(os.environ), Stack.of(os.environ)
    publisher = ChangePublisher(stack.client("events"), stack.outputs["event_bus_name"])
    yield from announce(stack.client("dynamodb"), stack.outputs["contracts_table_name"], publisher, numbers)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
