"""Uploads of readings: validated strictly, and stored; without FastAPI, so that every function can use it."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import NamedTuple

from domain.actors import Actor
from domain.instants import MalformedTimeError, to_micros
from domain.meters.completeness import INTERVALS
from domain.meters.csv_uploads import read_csv
from domain.meters.json_uploads import read_entries
from domain.meters.readings import Meter, MeterIsSimulatedError, MeterKind, Reading, is_meter_id
from domain.meters.time_zones import UnknownZoneError, zone
from domain.meters.uploads import MAX_AHEAD, InvalidReadingsError, Problem, ReadingParser
from infra.meters.hour_writes import Counts
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from infra.telemetry import logger

_NO_NUMBER = Decimal("NaN")


class Arrival(NamedTuple):
    """When an upload arrived, and the `created_at` of its request, if any."""

    now: datetime
    created_at: datetime | None = None

    def made_at(self) -> int | None:
        """Return when the readings were made, in microseconds.

        Raises:
            InvalidReadingsError: it is more than a day ahead.
        """
        if self.created_at is None:
            return None
        if self.created_at > self.now + MAX_AHEAD:
            raise InvalidReadingsError([Problem("created_at", "must be at most a day ahead of now")])
        return to_micros(self.created_at)


def read_csv_body(body: bytes, meter_id: str, arrival: Arrival) -> list[Reading]:
    """Read a file with the export's columns.

    Raises:
        InvalidReadingsError: with the numbers of the lines that are wrong.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidReadingsError([Problem(f"line {line}", "must be UTF-8")]) from error
    return read_csv(text, meter_id, arrival.now, arrival.made_at())


def read_json_body(body: bytes, arrival: Arrival) -> list[Reading]:
    """Read `{"readings": [...], "created_at": ...}`; numbers keep their decimal text.

    Raises:
        InvalidReadingsError: with what is wrong, and where.
    """
    return _read_document(load_exactly(body), arrival)


def load_exactly(body: str | bytes) -> object:
    """Read JSON whose numbers keep their decimal text.

    Raises:
        InvalidReadingsError: it is not JSON.
    """
    try:
        return json.loads(body, parse_float=_exactly, parse_int=_exactly, parse_constant=lambda _: _NO_NUMBER)
    except (ValueError, RecursionError) as error:
        raise InvalidReadingsError([Problem("body", "must be JSON")]) from error


def _exactly(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # the exponent is too large
        return _NO_NUMBER


class SentReadings(NamedTuple):
    """What a `meter_readings` event contains: a meter's id, its readings, and settings of the meter."""

    meter_id: str
    readings: list[Reading]
    settings: Mapping[str, int | str] = MappingProxyType({})


def read_detail(detail: object, now: datetime, default_created_at: datetime) -> SentReadings:
    """Read the detail of a `meter_readings` event.

    Their `created_at` is `default_created_at` unless the detail gives one.

    Raises:
        InvalidReadingsError: with what is wrong, and where.
    """
    says_when = isinstance(detail, Mapping) and detail.get("created_at") is not None
    arrival = Arrival(now, None if says_when else default_created_at)
    readings = _read_document(detail, arrival, "smart_meter_id", "interval_seconds", "timezone")
    assert isinstance(detail, Mapping)  # noqa: S101 - else it has been refused
    meter_id = detail.get("smart_meter_id")
    if not isinstance(meter_id, str) or not is_meter_id(meter_id):
        raise InvalidReadingsError([Problem("smart_meter_id", "must be the id of a smart meter")])
    return SentReadings(meter_id, readings, _read_settings(detail))


def _read_settings(detail: Mapping[str, object]) -> dict[str, int | str]:
    settings: dict[str, int | str] = {}
    seconds, name = detail.get("interval_seconds"), detail.get("timezone")
    if seconds is not None:
        if not isinstance(seconds, Decimal) or seconds not in INTERVALS:
            choices = ", ".join(map(str, INTERVALS))
            raise InvalidReadingsError([Problem("interval_seconds", f"must be one of {choices}")])
        settings["interval_seconds"] = int(seconds)
    if name is not None:
        try:
            settings["timezone"] = zone(name if isinstance(name, str) else "").key
        except UnknownZoneError as error:
            raise InvalidReadingsError([Problem("timezone", str(error))]) from error
    return settings


def _read_document(document: object, arrival: Arrival, *fields: str) -> list[Reading]:
    if not isinstance(document, Mapping):
        raise InvalidReadingsError([Problem("body", "must be a JSON object")])
    for name in document:
        if name not in ("readings", "created_at", *fields):
            raise InvalidReadingsError([Problem(str(name)[:64], "is not a field of this")])
    created_at = _created_at_of(document, arrival)
    entries = document.get("readings")
    if not isinstance(entries, list):
        raise InvalidReadingsError([Problem("readings", "must be a list of readings")])
    return read_entries(entries, arrival.now, created_at)


def _created_at_of(document: Mapping[str, object], arrival: Arrival) -> int | None:
    """Return the `created_at` of a document or of its request, in microseconds."""
    by_request = arrival.made_at()
    stated = document.get("created_at")
    if stated is None:
        return by_request
    try:
        # Empty text is the default of a reading; here it is a mistake.
        created_at = ReadingParser(arrival.now).parse_created_at(stated or 0)
    except MalformedTimeError as error:
        raise InvalidReadingsError([Problem("created_at", str(error))]) from error
    if by_request not in (None, created_at):
        raise InvalidReadingsError([Problem("created_at", "must be the same in the body and in the query")])
    return created_at


def require_metered(meter: Meter) -> None:
    """Refuse to store readings of a simulated meter.

    Raises:
        MeterIsSimulatedError: the meter stores no readings.
    """
    if meter.kind is MeterKind.SIMULATED:
        raise MeterIsSimulatedError(meter.id)


def store_upload(
    meters: MeterStore, store: ReadingStore, sent: SentReadings, actor: Actor, now: datetime
) -> Counts:
    """Store readings; an unknown meter is registered, unless there are no readings.

    Settings are stored if the meter does not have them yet.

    Raises:
        MeterIsSimulatedError: the meter stores no readings.
        TooManyReadingsError: too much is stored in the hours that they touch.
    """
    meter = meters.get(sent.meter_id)
    if meter is not None:
        require_metered(meter)
    if sent.settings and (meter is None or any(getattr(meter, name) is None for name in sent.settings)):
        meters.supplement(sent.meter_id, sent.settings, now)
    elif meter is None and sent.readings:
        meters.register(Meter(sent.meter_id, MeterKind.METERED, created_at=now))
    counts = store.store(sent.meter_id, sent.readings, actor)
    logger.info("Readings stored", smart_meter_id=sent.meter_id, **counts._asdict())
    return counts
