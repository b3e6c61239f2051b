"""What Lambda calls with messages of the ingestion queue."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.contracts.trails import IdempotencyKeyReusedError, Reception, Source
from domain.contracts.verdicts import Code
from domain.meters.readings import MeterIsSimulatedError
from domain.meters.uploads import InvalidReadingsError
from functions import finish_imports
from infra.batches import BatchAnswer, QueueMessage, answer_of
from infra.contracts.apply_events import Arrival, Outcome, apply_all
from infra.contracts.event_messages import MalformedMessageError, read_message
from infra.contracts.event_payloads import utc_now
from infra.contracts.timeline_store import Decision
from infra.ingestion_queue import SHORT_DELAY_SECONDS, delay_seconds
from infra.meters.reading_messages import Upload, has_readings, store_all
from infra.settings import IngestionSettings, settings
from infra.stores import stores
from infra.telemetry import logger, report, report_unknown
from infra.time_left import IsTimeLeft, NoTimeError, more_than
from infra.write_outcomes import OutcomeUnknownError, WriteFailedError

_TIME_TO_FINISH_SECONDS = 12
"""Nothing is started with less time left: a call to AWS that times out three times takes this long, with pauses."""

_FINAL = (IdempotencyKeyReusedError, InvalidReadingsError, MeterIsSimulatedError)
"""Errors that no retry will help."""

RETRYABLE_CODES = frozenset({Code.END_WITHOUT_START, Code.CONTRACT_NOT_FOUND})
"""Refusals of events that may have overtaken another event; they are final only on the last receive."""


class NotFinalError(Exception):
    """The event returns to the queue: what it lacks may still arrive."""


def handler(event: dict[str, Any], context: LambdaContext) -> BatchAnswer:
    """Apply a batch of messages; return those that have to be delivered again."""
    logger.set_correlation_id(context.aws_request_id)
    messages = [QueueMessage.of(record) for record in event["Records"]]
    readings = [message for message in messages if has_readings(message.body)]
    events = [message for message in messages if message not in readings]
    is_time_left = more_than(_TIME_TO_FINISH_SECONDS, context)
    # Events first: storing many readings takes long, and they would wait for it.
    failures = _apply(events, context.aws_request_id, is_time_left) | _store(readings, is_time_left)
    if untried := sum(isinstance(error, NoTimeError) for error in failures.values()):
        logger.warning("No time left", messages=untried)
    return answer_of(message.id for message in messages if message.id in failures)


def _apply(messages: list[QueueMessage], request_id: str, is_time_left: IsTimeLeft) -> dict[str, Exception]:
    """Apply the events in the messages; return the errors of those that have to be delivered again."""
    failures: dict[str, Exception] = {}
    arrivals: list[tuple[QueueMessage, Arrival]] = []
    for message in messages:
        try:
            arrivals.append((message, _arrival(message, request_id)))
        except MalformedMessageError as error:
            failures |= _reject(message, error)
        except Exception as error:  # whatever is wrong with one message, the others do not wait for it
            logger.exception("Message not read", message_id=message.id)
            failures |= _return(message, error)
    decided = []
    outcomes = apply_all(stores().timelines, [arrival for _, arrival in arrivals], is_time_left)
    for (message, arrival), outcome in zip(arrivals, outcomes, strict=True):
        if isinstance(outcome, Exception) or _is_retryable(outcome, arrival):
            failures |= _return(message, outcome)
        elif not outcome.repeated:
            decided.append((arrival.event, outcome.verdict, arrival.reception.actor))
    report(decided)
    return failures


def _is_retryable(decision: Decision, arrival: Arrival) -> bool:
    """Return whether an event has to be delivered again; one that was decided before does not."""
    return decision.verdict.code in arrival.retryable and not decision.repeated


def _store(messages: list[QueueMessage], is_time_left: IsTimeLeft) -> dict[str, Exception]:
    """Store the readings in the messages; return the errors of those that have to be delivered again."""
    uploads = [Upload(message.body, message.receives) for message in messages]
    failures: dict[str, Exception] = {}
    for message, error in zip(messages, store_all(uploads, utc_now, is_time_left), strict=True):
        if error is not None:
            failures |= _return(message, error)
    return failures


def _arrival(message: QueueMessage, request_id: str) -> Arrival:
    is_last = message.receives >= settings(IngestionSettings).max_receives
    event, actor = read_message(message.body)
    return Arrival(
        event=event,
        reception=Reception(datetime.now(UTC), Source.BUS, request_id, actor),
        retryable=() if is_last else RETRYABLE_CODES,
        receives=message.receives,
    )


def _return(message: QueueMessage, outcome: Outcome) -> dict[str, Exception]:
    """Have a message that is not done delivered again; return the reason by its id."""
    if isinstance(outcome, _FINAL):
        return _reject(message, outcome)
    if isinstance(outcome, NoTimeError):
        return _return_unprocessed(message, outcome)
    if isinstance(outcome, OutcomeUnknownError):
        report_unknown(outcome, message_id=message.id)
    elif isinstance(outcome, WriteFailedError):
        reason = repr(outcome.__cause__ or outcome)
        logger.error("Message not applied", reason=reason, message_id=message.id)
    stores().ingestion_queue.postpone(message.receipt_handle, delay_seconds(message.receives))
    error = outcome if isinstance(outcome, Exception) else NotFinalError(outcome.message)
    return {message.id: error}


def _return_unprocessed(message: QueueMessage, error: NoTimeError) -> dict[str, Exception]:
    """Have a message that there was no time for delivered again.

    Its receive counts all the same. After the last receive, a new message with the same body replaces it,
    so that it never becomes a dead letter without having been tried.
    """
    is_last = message.receives >= settings(IngestionSettings).max_receives
    if is_last and stores().ingestion_queue.send_as_new(message.body):
        return {}
    stores().ingestion_queue.postpone(message.receipt_handle, SHORT_DELAY_SECONDS)
    return {message.id: error}


def _reject(message: QueueMessage, error: Exception) -> dict[str, Exception]:
    """Send a message that no retry will help to the dead letter queue.

    It is delivered again soon, until its receives are used up: then the queue itself moves it, so that
    it can be redriven.
    """
    logger.error("Message rejected", message_id=message.id, reason=str(error))
    stores().ingestion_queue.postpone(message.receipt_handle, SHORT_DELAY_SECONDS)
    return {message.id: error}


finish_imports()
