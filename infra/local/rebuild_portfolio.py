"""`make rebuild-portfolio` and `make compare-portfolio` without STACK: those of the local run."""

import os
import sys
from collections.abc import Iterator

from infra.local.stack import Stack
from infra.operate.command import run_steps
from infra.operate.rebuild_portfolio import chosen


def _steps() -> Iterator[str]:
    stack = Stack.of(os.environ)
    yield from chosen(sys.argv[1:], stack.client("dynamodb"), stack.outputs)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
