"""Requests that are answered once: the same key and payload get the first answer for 24 hours."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from domain.contracts.trails import IdempotencyKeyReusedError
from infra.outcomes import BusyError, OutcomeUnknownError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEEP_SECONDS = 24 * 60 * 60
_MAX_REQUEST_MILLIS = 30_000

Answer = dict[str, Any]


class _Deadline(NamedTuple):
    """Tells Powertools, in place of Lambda's context, when a request that never ended is over."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the longest that a request may take."""
        return _MAX_REQUEST_MILLIS


class IdempotencyStore:
    """The idempotency keys of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def ping(self) -> None:
        """Ask the table for something, to see whether it answers."""
        self.client.get_item(TableName=self.table, Key={"id": {"S": "-"}})

    def answer(self, operation: str, key: str, payload: Answer, work: Callable[[], Answer]) -> Answer:
        """Do `work`, or answer what it answered to the same key and payload before.

        An error of `work` is not kept: the request may be sent again.

        Raises:
            IdempotencyKeyReusedError: the key came before with another payload.
            BusyError: the request that came first is still being worked on, or nothing was begun.
            OutcomeUnknownError: `work` was done, and its answer could not be kept.
        """
        # Here and not above: only requests that bear a key pay for the import.
        from aws_lambda_powertools.utilities.idempotency import (  # noqa: PLC0415
            DynamoDBPersistenceLayer,
            IdempotencyConfig,
            idempotent_function,
        )
        from aws_lambda_powertools.utilities.idempotency.exceptions import (  # noqa: PLC0415
            IdempotencyAlreadyInProgressError,
            IdempotencyPersistenceLayerError,
            IdempotencyValidationError,
        )

        begun = False

        def run(*, request: Answer) -> Answer:  # noqa: ARG001 - Powertools reads the key from it
            nonlocal begun
            begun = True
            return work()

        config = IdempotencyConfig(
            event_key_jmespath="key",
            payload_validation_jmespath="payload",
            expires_after_seconds=_KEEP_SECONDS,
            hash_function="sha256",
            lambda_context=cast("Any", _Deadline()),
        )
        run_once = idempotent_function(
            run,
            data_keyword_argument="request",
            persistence_store=DynamoDBPersistenceLayer(self.table, boto3_client=self.client),
            config=config,
            key_prefix=operation,
        )
        try:
            return cast("Answer", run_once(request={"key": key, "payload": payload}))
        except IdempotencyValidationError as error:
            raise IdempotencyKeyReusedError from error
        except (IdempotencyAlreadyInProgressError, IdempotencyPersistenceLayerError) as error:
            raise (OutcomeUnknownError if begun else BusyError) from error
