"""Sends conditional writes and transactions to DynamoDB, with one retry policy for all."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from infra.retries import attempts
from infra.write_outcomes import (
    DEPENDENCY_ERRORS,
    Applied,
    NotApplied,
    Outcome,
    Refused,
    Unknown,
    error_of,
    is_retryable,
    noting_doubts,
    outcome_of,
    watch,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def _attempt(call: Callable[[], Mapping[str, Any]]) -> Outcome:
    with noting_doubts() as doubts:
        try:
            answer = call()
        except DEPENDENCY_ERRORS as error:
            return outcome_of(error, doubts)
    return Applied(answer.get("Attributes"))


def _send(call: Callable[[], Mapping[str, Any]]) -> Applied | Refused:
    """Send a write; after a conflict or a throttle send it again, for as long as a request can wait.

    Raises:
        BusyError: nothing was stored in any attempt.
        ImpossibleWriteError: nothing was stored, and another attempt would not help.
        OutcomeUnknownError: an attempt may have been applied, and no later attempt confirmed it.
    """
    doubted = False
    failed: NotApplied | Unknown
    for _ in attempts():
        outcome = _attempt(call)
        if isinstance(outcome, Applied | Refused):
            return outcome
        failed = outcome
        doubted = doubted or isinstance(failed, Unknown)
        if not is_retryable(failed.error):
            break
    raise error_of(failed, doubted=doubted) from failed.error


class Writer:
    """Sends the conditional writes of a store; every condition must recognise its own resend.

    Except for `transact_once`, each method raises BusyError, ImpossibleWriteError or OutcomeUnknownError if a write is
    neither applied nor refused.
    """

    def __init__(self, client: "DynamoDBClient") -> None:
        self.client = client
        watch(client)

    def put(self, **request: Any) -> Applied | Refused:  # noqa: ANN401 - as boto3 takes it
        """Store an item; a refusal contains the stored item."""
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return _send(lambda: self.client.put_item(**request))

    def update(self, **request: Any) -> Applied | Refused:  # noqa: ANN401 - as boto3 takes it
        """Change an item; a refusal contains the item for which the condition failed.

        Applied, the outcome contains the attributes that `ReturnValues` asks for.
        """
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return _send(lambda: self.client.update_item(**request))

    def transact(self, writes: Sequence[Any]) -> Applied | Refused:
        """Apply all of `writes` or none; one client token for all attempts, so that they are applied only once."""
        return _send(self._transaction(writes))

    def transact_once(self, writes: Sequence[Any]) -> Outcome:
        """Apply all of `writes` or none, in one attempt: for callers that read again before they send another.

        Raises nothing: the caller decides what to do about a write that is neither applied nor refused.
        """
        return _attempt(self._transaction(writes))

    def _transaction(self, writes: Sequence[Any]) -> Callable[[], Mapping[str, Any]]:
        token = uuid4().hex
        return lambda: self.client.transact_write_items(ClientRequestToken=token, TransactItems=writes)
