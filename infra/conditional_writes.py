"""Sends conditional writes and transactions to DynamoDB, with one retry policy for all."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from infra.write_outcomes import (
    CANCELLED,
    DEPENDENCY_ERRORS,
    Applied,
    NotApplied,
    Outcome,
    Refused,
    Unknown,
    code_of,
    error_of,
    is_retryable,
    noting_doubts,
    outcome_of,
    watch,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ATTEMPTS = 8
_LONGEST_SECONDS = 5.0
"""No attempt starts later than this: a request has 29 seconds and may need a second write."""
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.8
# Instances that start from one snapshot would share a seed and retry at the same moment.
_RANDOM = SystemRandom()


def _attempt(call: Callable[[], object]) -> Outcome:
    with noting_doubts() as doubts:
        try:
            call()
        except DEPENDENCY_ERRORS as error:
            return outcome_of(error, doubts)
    return Applied()


def _send(call: Callable[[], object]) -> Applied | Refused:
    """Send a write; after a conflict or a throttle send it again, for as long as a request can wait.

    Raises:
        BusyError: nothing was stored in any attempt.
        ImpossibleWriteError: nothing was stored, and another attempt would not help.
        OutcomeUnknownError: an attempt may have been applied, and no later attempt confirmed it.
    """
    latest = time.monotonic() + _LONGEST_SECONDS
    doubted = False
    attempts = 0
    while True:
        outcome = _attempt(call)
        if isinstance(outcome, Applied | Refused):
            return outcome
        doubted = doubted or isinstance(outcome, Unknown)
        attempts += 1
        is_last = attempts == _ATTEMPTS or time.monotonic() > latest
        if is_last or not is_retryable(outcome.error):
            raise error_of(outcome, doubted=doubted) from outcome.error
        # Jitter, so that writers in conflict do not retry at the same moment.
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (attempts - 1), _LONGEST_PAUSE_SECONDS)
        time.sleep(_RANDOM.uniform(0.5, 1) * pause)


class Writer:
    """Sends the conditional writes of a store; every condition must recognise its own resend.

    Each method raises BusyError, ImpossibleWriteError or OutcomeUnknownError if a write is neither applied nor refused.
    """

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        watch(client)

    def put(self, **request: Any) -> Applied | Refused:  # noqa: ANN401 - as boto3 takes it
        """Store an item; a refusal contains the stored item."""
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return _send(lambda: self.client.put_item(**request))

    def update(self, **request: Any) -> Applied | Refused:  # noqa: ANN401 - as boto3 takes it
        """Change an item; a refusal contains the item for which the condition failed."""
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return _send(lambda: self.client.update_item(**request))

    def transact(self, writes: Sequence[Any]) -> Applied | Refused:
        """Apply all of `writes` or none; one client token for all attempts, so that they are applied only once."""
        token = uuid4().hex
        return _send(lambda: self.client.transact_write_items(ClientRequestToken=token, TransactItems=writes))


@contextmanager
def write_errors_classified() -> Iterator[None]:
    """Replace botocore's errors by errors that say whether the write was stored; leave refusals as they are.

    For stores that do not use `Writer`. A cancelled transaction is left as it is too, whatever cancelled it.

    Raises:
        BusyError: nothing was stored, and sending it again may work.
        ImpossibleWriteError: nothing was stored, and sending it again will not help.
        OutcomeUnknownError: the write was neither refused nor confirmed.
    """
    with noting_doubts() as doubts:
        try:
            yield
        except DEPENDENCY_ERRORS as error:
            outcome = outcome_of(error, doubts)
            is_cancelled = isinstance(outcome, NotApplied) and code_of(error) == CANCELLED
            if isinstance(outcome, NotApplied | Unknown) and not is_cancelled:
                raise error_of(outcome) from error
            raise
