"""Idempotency keys: for 24 hours, the same key and payload get the first answer again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from domain.contracts.trails import IdempotencyKeyReusedError
from infra.write_outcomes import BusyError, OutcomeUnknownError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEEP_SECONDS = 24 * 60 * 60
_MAX_REQUEST_MILLIS = 30_000

Answer = dict[str, Any]


class _Deadline(NamedTuple):
    """Stands in for Lambda's context: Powertools reads from it how long a request that never ended stays locked."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the maximum duration of a request."""
        return _MAX_REQUEST_MILLIS


class IdempotencyStore:
    """The idempotency keys of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def ping(self) -> None:
        """Read from the table, to check that it answers."""
        self.client.get_item(TableName=self.table, Key={"id": {"S": "-"}})

    def answer(self, operation: str, key: str, payload: Answer, work: Callable[[], Answer]) -> Answer:
        """Do `work`, or return its earlier answer to the same key and payload.

        An error of `work` is not stored: the request may be sent again.

        Raises:
            IdempotencyKeyReusedError: the key was used before with another payload.
            BusyError: the first request with this key is still in progress, or `work` was not started.
            OutcomeUnknownError: `work` was done, but its answer could not be stored.
        """
        # Imported here: only requests with a key pay for the import.
        from aws_lambda_powertools.utilities.idempotency.exceptions import (  # noqa: PLC0415
            IdempotencyAlreadyInProgressError,
            IdempotencyPersistenceLayerError,
            IdempotencyValidationError,
        )

        started = False

        def run(*, request: Answer) -> Answer:  # noqa: ARG001 - Powertools reads the key from it
            nonlocal started
            started = True
            return work()

        try:
            return self._once(operation, run)(request={"key": key, "payload": payload})
        except IdempotencyValidationError as error:
            raise IdempotencyKeyReusedError from error
        except (IdempotencyAlreadyInProgressError, IdempotencyPersistenceLayerError) as error:
            raise (OutcomeUnknownError if started else BusyError) from error

    def _once(self, operation: str, run: Callable[..., Answer]) -> Callable[..., Answer]:
        """Wrap `run` so that it runs once for each key of its request, and answers repetitions from the table."""
        from aws_lambda_powertools.utilities.idempotency import (  # noqa: PLC0415
            DynamoDBPersistenceLayer,
            IdempotencyConfig,
            idempotent_function,
        )

        config = IdempotencyConfig(
            event_key_jmespath="key",
            payload_validation_jmespath="payload",
            expires_after_seconds=_KEEP_SECONDS,
            hash_function="sha256",
            lambda_context=cast("Any", _Deadline()),
        )
        wrapped = idempotent_function(
            run,
            data_keyword_argument="request",
            persistence_store=DynamoDBPersistenceLayer(self.table, boto3_client=self.client),
            config=config,
            key_prefix=operation,
        )
        return cast("Callable[..., Answer]", wrapped)
