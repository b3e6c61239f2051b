"""Stores readings from messages of the ingestion queue: those of one meter in order, meters in parallel."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from domain.actors import Actor, publisher
from domain.instants import MalformedTimeError, parse_instant
from domain.meters.uploads import InvalidReadingsError, Problem
from infra.contracts.event_messages import envelope_id_of
from infra.meters.store_upload import SentReadings, load_exactly, read_detail, store_upload
from infra.parallel import in_parallel
from infra.stores import stores
from infra.telemetry import log_lines_with
from infra.time_left import IsTimeLeft, NoTimeError
from infra.write_outcomes import DEPENDENCY_ERRORS, WriteFailedError

DETAIL_TYPE = "meter_readings"

_METERS_AT_ONCE = 8
"""Threads; what fits into a message is rarely more than one batch of hours, and the client keeps ten connections."""


def has_readings(body: str) -> bool:
    """Return whether a message contains readings, by its detail type."""
    return f'"{DETAIL_TYPE}"' in body and _envelope(body).get("detail-type") == DETAIL_TYPE


def _envelope(body: str) -> Mapping[str, Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}


def read_readings(body: str, now: datetime) -> SentReadings:
    """Return the readings in a message, and their publisher.

    Their default `created_at` is the time of the envelope.

    Raises:
        InvalidReadingsError: they are not valid.
    """
    envelope = load_exactly(body)
    if not isinstance(envelope, Mapping):
        raise InvalidReadingsError([Problem("body", "must be a JSON object")])
    return read_detail(envelope.get("detail"), now, _sent_at(envelope, now))


def _sent_at(envelope: Mapping[str, Any], now: datetime) -> datetime:
    if "time" not in envelope:
        return now
    try:
        return parse_instant(str(envelope["time"]))
    except MalformedTimeError as error:
        raise InvalidReadingsError([Problem("time", str(error))]) from error


def publisher_of(body: str) -> Actor:
    """Return who put a message on the bus: the account and the source that its envelope names."""
    envelope = _envelope(body)
    return publisher(envelope.get("account"), envelope.get("source"))


def store_readings(body: str, now: datetime) -> None:
    """Store the readings in a message.

    Raises:
        InvalidReadingsError: they are not valid; nothing is stored.
        MeterIsSimulatedError: the meter stores none.
        OutcomeUnknownError: they may have been stored; storing them again is harmless.
    """
    sent = read_readings(body, now)
    store_upload(stores().meters, stores().readings, sent, publisher_of(body), now)


class Upload(NamedTuple):
    """A message with readings, and how often it was received."""

    body: str
    receives: int

    @property
    def meter_id(self) -> str:
        """The meter that the message names, which may not be valid."""
        detail = _envelope(self.body).get("detail")
        return str(detail.get("smart_meter_id")) if isinstance(detail, dict) else ""


def store_all(
    uploads: Sequence[Upload], now: Callable[[], datetime], is_time_left: IsTimeLeft
) -> list[Exception | None]:
    """Store the readings of many messages; return the error of each, if any, in the order given.

    A meter's messages are stored in the order given, since of two readings of one timestamp that were made at
    the same instant the one stored last counts: once the outcome of one is unknown, the later ones of that meter are
    not tried, and get the same error. Meters whose messages were received most often come first.
    """
    by_meter: dict[str, list[int]] = {}
    for index, upload in enumerate(uploads):
        by_meter.setdefault(upload.meter_id, []).append(index)
    groups = sorted(
        by_meter.values(), key=lambda group: max(uploads[index].receives for index in group), reverse=True
    )

    def store_in_turn(indexes: list[int]) -> list[tuple[int, Exception | None]]:
        outcomes: list[tuple[int, Exception | None]] = []
        for index in indexes:
            error = _store(uploads[index], now, is_time_left)
            if isinstance(error, (NoTimeError, WriteFailedError, *DEPENDENCY_ERRORS)):
                return outcomes + [(later, error) for later in indexes[len(outcomes) :]]
            outcomes.append((index, error))
        return outcomes

    outcomes = dict(in_parallel(store_in_turn, groups, _METERS_AT_ONCE))
    return [outcomes[index] for index in range(len(uploads))]


def _store(upload: Upload, now: Callable[[], datetime], is_time_left: IsTimeLeft) -> Exception | None:
    if not is_time_left():
        return NoTimeError()
    try:
        with log_lines_with({"envelope_id": envelope_id_of(_envelope(upload.body))}):
            store_readings(upload.body, now())
    except Exception as error:  # such as an item that cannot be read: the other messages do not wait for it
        return error
    return None
