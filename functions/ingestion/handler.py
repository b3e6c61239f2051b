"""What Lambda calls with messages of the ingestion queue."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from domain.contracts.verdicts import Code

from domain.contracts.trails import IdempotencyKeyReusedError, Reception, Source
from domain.meters.readings import MeterIsSimulatedError
from domain.meters.uploads import InvalidReadingsError
from infra.aws import DEPENDENCY_ERRORS, dynamodb, sqs
from infra.contracts.apply_events import Arrival, Outcome, apply_all
from infra.contracts.event_messages import MalformedMessageError, read_message
from infra.contracts.timeline_store import Decision, TimelineStore
from infra.ingestion_queue import GIVE_UP_DELAY_SECONDS, IngestionQueue, delay_seconds
from infra.meters.reading_messages import has_readings, store_readings
from infra.outcomes import OutcomeUnknownError, WriteFailedError
from infra.settings import IngestionSettings, settings
from infra.telemetry import logger, report, report_unknown

RETRYABLE_CODES = frozenset({Code.END_WITHOUT_START, Code.CONTRACT_NOT_FOUND})
"""Refusals that an event which overtook another may meet; they are final on the last receive only."""


class NotFinalError(Exception):
    """The event goes back to the queue: what it lacks may still arrive."""


@cache
def _timelines() -> TimelineStore:
    told = settings(IngestionSettings)
    return TimelineStore(dynamodb(), told.contracts_table, audited=told.enable_event_audit)


@cache
def _queue() -> IngestionQueue:
    return IngestionQueue(sqs(), settings(IngestionSettings).ingestion_queue_url)


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Apply a batch of events; answer the messages that are to come again."""
    logger.set_correlation_id(context.aws_request_id)
    messages = [SQSRecord(message) for message in event["Records"]]
    readings = [message for message in messages if has_readings(message.body)]
    events = [message for message in messages if message not in readings]
    # Events first: storing many readings takes long, and they would wait for it.
    failures = _apply(events, context.aws_request_id) | _store(readings)

    def settle(record: SQSRecord) -> None:
        if record.message_id in failures:
            raise failures[record.message_id]

    # Not raised when everything fails: that would make Lambda count an error of the function.
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, settle, processor, context)


def _apply(messages: list[SQSRecord], request_id: str) -> dict[str, Exception]:
    """Apply what the messages say; return why some of them are to come again."""
    failures: dict[str, Exception] = {}
    arrivals: list[tuple[SQSRecord, Arrival]] = []
    for message in messages:
        try:
            arrivals.append((message, _arrival(message, request_id)))
        except MalformedMessageError as error:
            failures[message.message_id] = _give_up(message, error)
    decided = []
    outcomes = apply_all(_timelines(), [arrival for _, arrival in arrivals])
    for (message, arrival), outcome in zip(arrivals, outcomes, strict=True):
        if not isinstance(outcome, Decision) or _is_retryable(outcome, arrival):
            failures[message.message_id] = _return(message, outcome)
        elif not outcome.repeated:
            decided.append((arrival.event, outcome.verdict))
    report(decided)
    return failures


def _is_retryable(decision: Decision, arrival: Arrival) -> bool:
    """Tell whether an event is to come again; one that was decided before is decided."""
    return decision.verdict.code in arrival.retryable and not decision.repeated


def _store(messages: list[SQSRecord]) -> dict[str, Exception]:
    """Store the readings that the messages hold; return why some of them are to come again."""
    failures: dict[str, Exception] = {}
    for message in messages:
        try:
            store_readings(message.body, datetime.now(UTC))
        except (InvalidReadingsError, MeterIsSimulatedError) as error:
            failures[message.message_id] = _give_up(message, error)
        except (WriteFailedError, *DEPENDENCY_ERRORS) as error:
            failures[message.message_id] = _try_again(message, error)
    return failures


def _arrival(message: SQSRecord, request_id: str) -> Arrival:
    is_last = _receives(message) >= settings(IngestionSettings).max_receives
    event, actor = read_message(message.body)
    return Arrival(
        event=event,
        reception=Reception(datetime.now(UTC), Source.BUS, request_id, actor),
        retryable=() if is_last else RETRYABLE_CODES,
    )


def _receives(message: SQSRecord) -> int:
    return int(message.attributes.approximate_receive_count)


def _return(message: SQSRecord, outcome: Outcome) -> Exception:
    """Have a message come again whose event is not decided yet; return why."""
    if isinstance(outcome, IdempotencyKeyReusedError):
        return _give_up(message, outcome)
    if not isinstance(outcome, Decision):
        return _try_again(message, outcome)
    _queue().postpone(message.receipt_handle, delay_seconds(_receives(message)))
    return NotFinalError(outcome.message)


def _try_again(message: SQSRecord, error: Exception) -> Exception:
    if isinstance(error, OutcomeUnknownError):
        report_unknown(error, message_id=message.message_id)
    else:
        reason = repr(error.__cause__ or error)
        logger.error("Message not applied", reason=reason, message_id=message.message_id)
    _queue().postpone(message.receipt_handle, delay_seconds(_receives(message)))
    return error


def _give_up(message: SQSRecord, error: Exception) -> Exception:
    """Send a message that no repetition will help on to the dead letter queue.

    It comes again soon, until its receives are used up: so the queue itself moves it, and it can
    be sent back from there.
    """
    logger.error("Message given up", message_id=message.message_id, reason=str(error))
    _queue().postpone(message.receipt_handle, GIVE_UP_DELAY_SECONDS)
    return error
