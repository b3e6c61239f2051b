"""`make announce`: publishes the current timelines of contracts, for receivers that missed changes.

An announcement is a `timeline_changed` message whose `before` equals its `after`.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3

from infra.commands.command_error import CommandError
from infra.contracts.contract_items import key_of
from infra.contracts.timeline_changes import ChangePublisher, NotPublishedError, present_state
from infra.operate.command import names_in, required_variable, run_steps, stack_outputs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS = 10

_UNREADABLE = (LookupError, TypeError, ValueError)


class _NotAnnouncedError(Exception):
    """Why a contract is not announced."""


def announce(
    dynamodb: "DynamoDBClient", table: str, publisher: ChangePublisher, numbers: Sequence[str]
) -> Iterator[str]:
    """Publish the current timelines of contracts; yield each when it is done.

    An error of one contract does not stop the others; CommandError names all that were not announced.
    """
    failed = []
    for number in numbers:
        try:
            yield f"contract {number}: {_announce(dynamodb, table, publisher, number)}"
        except (_NotAnnouncedError, NotPublishedError, *_UNREADABLE) as error:
            failed.append(f"{number} ({error if isinstance(error, _NotAnnouncedError) else repr(error)})")
    if failed:
        raise CommandError(f"not announced: {', '.join(failed)}")


def _announce(dynamodb: "DynamoDBClient", table: str, publisher: ChangePublisher, number: str) -> str:
    item = _read(dynamodb, table, number)
    if item is None:
        raise _NotAnnouncedError("there never was such a contract, or it was deleted with make forget")
    for _ in range(_ATTEMPTS):
        published = present_state(item, number, uuid4().hex)
        publisher.publish([published.message])
        # A change that was stored after the item was read may have been published before it. So the state is
        # published again until it is still the current one after it was published.
        item = _read(dynamodb, table, number)
        if present_state(item, number, published.id) == published:
            return "announced" if published.after else "announced as deleted"
    raise _NotAnnouncedError("it changed during every attempt; its changes are published as they happen")


def _read(dynamodb: "DynamoDBClient", table: str, number: str) -> Mapping[str, Any] | None:
    answer = dynamodb.get_item(TableName=table, Key=key_of(number), ConsistentRead=True)
    return answer.get("Item")


def named_contracts(environment: Mapping[str, str]) -> list[str]:
    """Return the numbers that CONTRACTS gives; CommandError if it gives none."""
    numbers = names_in(environment, "CONTRACTS")
    if not numbers:
        raise CommandError("CONTRACTS= names the contracts to announce, with commas between them")
    return numbers


def _steps() -> Iterator[str]:
    numbers = named_contracts(os.environ)
    outputs = stack_outputs(
        boto3.client("cloudformation"), required_variable(os.environ, "STACK", "the stack")
    )
    publisher = ChangePublisher(boto3.client("events"), outputs["event_bus_name"])
    yield from announce(boto3.client("dynamodb"), outputs["contracts_table_name"], publisher, numbers)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
