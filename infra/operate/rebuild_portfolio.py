"""`make rebuild-portfolio` and `make compare-portfolio`: rebuild the read model from the contracts, or compare both.

Both may run while events come in. An interrupted rebuild continues where it stopped; at the end it compares.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import boto3

from infra.commands.command_error import CommandError
from infra.operate.command import required_variable, run_steps, stack_outputs
from infra.portfolio.event_log import EventLog
from infra.portfolio.portfolio_store import PortfolioStore
from infra.portfolio.rebuild import Rebuild

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MOST_SHOWN = 20


def rebuild(client: "DynamoDBClient", outputs: Mapping[str, str]) -> Iterator[str]:
    """Correct the portfolio from the contracts, then compare both; yield each step when it is done.

    Raises:
        CommandError: they still differ.
    """
    work = _work(client, outputs, repair=True)
    yield from work.run()
    yield f"{len(work.differences):,} differences corrected"
    yield from _shown(work.differences)
    yield from compare(client, outputs)


def compare(client: "DynamoDBClient", outputs: Mapping[str, str]) -> Iterator[str]:
    """Compare the portfolio with the contracts; change nothing.

    Raises:
        CommandError: they differ.
    """
    work = _work(client, outputs, repair=False)
    yield from work.run()
    yield from _shown(work.differences)
    if work.differences:
        raise CommandError(f"{len(work.differences):,} differences: the portfolio differs from the contracts")
    yield "0 differences: the portfolio equals the contracts"


def _work(client: "DynamoDBClient", outputs: Mapping[str, str], *, repair: bool) -> Rebuild:
    table = outputs["portfolio_table_name"]
    log = EventLog(client, table, int(outputs["event_log_days"]))
    return Rebuild(
        client, outputs["contracts_table_name"], PortfolioStore(client, table), log, repair, resume=repair
    )


def _shown(differences: list[str]) -> Iterator[str]:
    yield from (f"  {difference}" for difference in differences[:_MOST_SHOWN])
    if len(differences) > _MOST_SHOWN:
        yield f"  and {len(differences) - _MOST_SHOWN:,} more"


def chosen(arguments: list[str], client: "DynamoDBClient", outputs: Mapping[str, str]) -> Iterator[str]:
    """Return the steps of the command that the command line names."""
    return compare(client, outputs) if "compare" in arguments else rebuild(client, outputs)


def _steps() -> Iterator[str]:
    stack = required_variable(os.environ, "STACK", "the deployed stack")
    outputs = stack_outputs(boto3.client("cloudformation"), stack)
    yield from chosen(sys.argv[1:], boto3.client("dynamodb"), outputs)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
