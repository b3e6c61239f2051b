"""What Lambda calls with messages of the ingestion queue."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.contracts.trails import IdempotencyKeyReusedError, Reception, Source
from domain.contracts.verdicts import RETRYABLE
from domain.meters.readings import MeterIsSimulatedError
from domain.meters.uploads import InvalidReadingsError
from functions import finish_imports
from functions.ingestion.failures import log_failure
from infra.batches import BatchAnswer, QueueMessage, answer_of
from infra.contracts.apply_events import Arrival, Outcome, apply_all
from infra.contracts.event_messages import MalformedMessageError, Message, read_message
from infra.contracts.event_payloads import utc_now
from infra.contracts.timeline_store import Decision
from infra.ingestion_queue import SHORT_DELAY_SECONDS, delay_seconds
from infra.message_facts import log_facts
from infra.meters.reading_messages import Upload, has_readings, store_all
from infra.settings import IngestionSettings, settings
from infra.stores import stores
from infra.telemetry import Decided, log_lines_with, logger, report
from infra.time_left import IsTimeLeft, NoTimeError, more_than

_TIME_TO_FINISH_SECONDS = 12
"""Nothing is started with less time left: a call to AWS that times out three times takes this long, with pauses."""

_FINAL = (MalformedMessageError, IdempotencyKeyReusedError, InvalidReadingsError, MeterIsSimulatedError)
"""Errors that no retry will help. The message is delivered again soon, until its receives are used up: so the queue
itself moves it to its dead letters, and it can be redriven from there."""


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
    read: list[tuple[QueueMessage, Message, Arrival]] = []
    for message in messages:
        try:
            sent = read_message(message.body)
            read.append((message, sent, _arrival(message, sent, request_id)))
        except Exception as error:  # whatever is wrong with one message, the others do not wait for it
            failures |= _return(message, error)
    decided = []
    outcomes = apply_all(stores().timelines, [arrival for _, _, arrival in read], is_time_left)
    for (message, sent, arrival), outcome in zip(read, outcomes, strict=True):
        if isinstance(outcome, Exception) or _is_retryable(outcome, arrival):
            failures |= _return(message, outcome)
        elif not outcome.repeated:
            decided.append(Decided(sent.event, outcome.verdict, sent.actor, sent.envelope_id))
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


def _arrival(message: QueueMessage, sent: Message, request_id: str) -> Arrival:
    return Arrival(
        event=sent.event,
        reception=Reception(datetime.now(UTC), Source.BUS, request_id, sent.actor),
        retryable=() if _is_last(message) else RETRYABLE,
        receives=message.receives,
    )


def _is_last(message: QueueMessage) -> bool:
    """Tell whether a message becomes a dead letter if it fails now."""
    most: int = settings(IngestionSettings).max_receives
    return message.receives >= most


def _return(message: QueueMessage, outcome: Outcome) -> dict[str, Exception]:
    """Have a message that is not done delivered again; return the reason by its id."""
    facts = log_facts(message.body) | {"message_id": message.id, "receives": message.receives}
    with log_lines_with(facts):
        if isinstance(outcome, NoTimeError) and _is_replaced(message):
            return {}
        if isinstance(outcome, Exception):
            log_failure(outcome, is_last=_is_last(message), is_final=isinstance(outcome, _FINAL))
        elif message.receives == 1:
            logger.info("Event waits", code=outcome.verdict.code)
        soon = isinstance(outcome, (NoTimeError, *_FINAL))
        delay = SHORT_DELAY_SECONDS if soon else delay_seconds(message.receives)
        stores().ingestion_queue.postpone(message.receipt_handle, delay)
    error = outcome if isinstance(outcome, Exception) else NotFinalError(outcome.message)
    return {message.id: error}


def _is_replaced(message: QueueMessage) -> bool:
    """Replace a message that there was no time for with a new one of the same body, if this was its last receive.

    Each receive counts, so without this it would become a dead letter without having been tried.
    """
    return _is_last(message) and stores().ingestion_queue.send_as_new(message.body)


finish_imports()
