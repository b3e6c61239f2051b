"""The possible outcomes of a conditional write to DynamoDB, and which outcome each error means.

A failed call does not always have an unknown outcome. Each attempt, including botocore's own retries, either
certainly did nothing or may have been applied; the outcome is unknown only if an attempt may have been applied.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEPENDENCY_ERRORS = (BotoCoreError, ClientError)
"""What a failed call to AWS raises."""

_CONDITION_FAILED = "ConditionalCheckFailedException"
_CANCELLED = "TransactionCanceledException"
_TEMPORARY = {
    "TransactionConflictException",
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
}
"""Errors of attempts that certainly did nothing, and that may succeed later."""
_PENDING = {"TransactionInProgressException", "RequestTimeout", "RequestTimeoutException"}
"""Errors with status 4xx that do not say whether the request was applied."""
_TEMPORARY_REASONS = {"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"}
_REFUSAL_REASONS = {"None", "ConditionalCheckFailed"}
_NEVER_CONNECTED = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)
_NEVER_SIGNED = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)

Item = Mapping[str, Any]


class WriteFailedError(Exception):
    """A write was neither confirmed as applied nor refused by its condition."""


class BusyError(WriteFailedError):
    """Nothing was stored, and sending it again later may work: a conflict, a throttle, no connection."""


class ImpossibleWriteError(WriteFailedError):
    """Nothing was stored, and sending it again will not help: a missing permission, a malformed request."""


class OutcomeUnknownError(WriteFailedError):
    """A write was sent and its response was lost: it may or may not have been applied."""


class PartlyAppliedError(WriteFailedError):
    """Of a request with several writes, some were stored and the others certainly were not."""


class Applied(NamedTuple):
    """The write is stored; with the attributes that it was to return, if any."""

    item: Item | None = None


class Reason(NamedTuple):
    """Whether the condition of one write failed, and the item that it was evaluated on, if there was one."""

    failed: bool
    item: Item | None


class Refused(NamedTuple):
    """A condition failed, and nothing is stored; one reason for each write of a transaction."""

    reasons: tuple[Reason, ...]

    @property
    def item(self) -> Item | None:
        """The item on which the condition of the first, or only, write was evaluated."""
        return self.reasons[0].item


class NotApplied(NamedTuple):
    """Nothing is stored; `temporary` if sending it again may work."""

    error: Exception
    temporary: bool


class Unknown(NamedTuple):
    """The write may or may not be stored."""

    error: Exception


Outcome = Applied | Refused | NotApplied | Unknown

_doubts: ContextVar[list[bool] | None] = ContextVar("doubts", default=None)


def watch(client: "DynamoDBClient") -> None:
    """Record for each attempt of `client`, including botocore's own retries, whether it leaves doubt."""
    client.meta.events.register("needs-retry.dynamodb", _note_attempt, unique_id="writes")


def _note_attempt(
    response: tuple[Any, dict[str, Any]] | None, caught_exception: Exception | None, **_: object
) -> None:
    doubts = _doubts.get()
    if doubts is None:
        return
    if response is not None and "Error" in response[1]:
        doubts.append(_leaves_doubt(ClientError(response[1], "")))  # type: ignore[arg-type]
    elif caught_exception is not None:
        doubts.append(_leaves_doubt(caught_exception))


@contextmanager
def noting_doubts() -> Iterator[list[bool]]:
    """Collect for each attempt of the calls in the block whether it left doubt; watched clients fill the list."""
    doubts: list[bool] = []
    token = _doubts.set(doubts)
    try:
        yield doubts
    finally:
        _doubts.reset(token)


def code_of(error: Exception) -> str:
    """Return the AWS error code; empty if AWS did not respond."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else ""


def _leaves_doubt(error: Exception) -> bool:
    """Return whether the attempt that ended in `error` may have been applied."""
    if not isinstance(error, ClientError):
        return not isinstance(error, (*_NEVER_CONNECTED, *_NEVER_SIGNED))
    code = code_of(error)
    if code in {_CONDITION_FAILED, _CANCELLED} | _TEMPORARY:
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return code in _PENDING or not 400 <= status < 500  # noqa: PLR2004 - HTTP's own ranges


def outcome_of(error: BotoCoreError | ClientError, doubts: Sequence[bool]) -> Outcome:
    """Return the outcome that `error` means, after attempts that left `doubts`."""
    if (refused := _refusal_in(error)) is not None:
        # Also after doubt: callers recognise a write that refused its own resend by the item it returns.
        return refused
    if any(doubts) or _leaves_doubt(error):
        return Unknown(error)
    return NotApplied(error, temporary=_is_temporary(error))


def _is_temporary(error: BotoCoreError | ClientError) -> bool:
    if not isinstance(error, ClientError):
        return not isinstance(error, NoCredentialsError | PartialCredentialsError)
    if code_of(error) == _CANCELLED:
        return bool(_reason_codes(error) & _TEMPORARY_REASONS)
    return code_of(error) in _TEMPORARY


def _reason_codes(error: ClientError) -> set[str]:
    reasons: Any = error.response.get("CancellationReasons", [])
    return {reason.get("Code", "None") for reason in reasons}


def _refusal_in(error: BotoCoreError | ClientError) -> Refused | None:
    """Return the refusal that `error` means, if conditions failed and nothing else did.

    If a transaction also met a conflict or a throttle, the failed condition decides nothing: not all items were
    checked, so the whole transaction is sent again.
    """
    if not isinstance(error, ClientError):
        return None
    response: Any = error.response
    if code_of(error) == _CONDITION_FAILED:
        return Refused((Reason(True, response.get("Item")),))
    if code_of(error) == _CANCELLED and "ConditionalCheckFailed" in _reason_codes(error) <= _REFUSAL_REASONS:
        reasons = response.get("CancellationReasons", [])
        return Refused(
            tuple(Reason(one.get("Code") == "ConditionalCheckFailed", one.get("Item")) for one in reasons)
        )
    return None


def error_of(outcome: NotApplied | Unknown, *, doubted: bool = False) -> WriteFailedError:
    """Return the error to raise for an outcome; `doubted` if an earlier attempt may have been applied."""
    if doubted or isinstance(outcome, Unknown):
        return OutcomeUnknownError()
    return BusyError() if outcome.temporary else ImpossibleWriteError()


def is_retryable(error: Exception) -> bool:
    """Return whether to send a call again. Only for responses of DynamoDB: botocore has retried all other errors."""
    return isinstance(error, ClientError) and (code_of(error) in _PENDING or _is_temporary(error))
