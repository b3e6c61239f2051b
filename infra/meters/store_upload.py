"""Readings that are sent in: read strictly, and stored; free of FastAPI, so that any function can use it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

from domain.meters.readings import Meter, MeterIsSimulatedError, MeterKind, Reading, is_meter_id
from domain.meters.uploads import InvalidReadingsError, Problem, read_csv, read_entries
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import Counts, ReadingStore
from infra.telemetry import logger


def read_csv_body(body: bytes, meter_id: str) -> list[Reading]:
    """Read a file with the export's columns.

    Raises:
        InvalidReadingsError: with the numbers of the lines that are wrong.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise InvalidReadingsError([Problem(f"line {line}", "must be UTF-8")]) from error
    return read_csv(text, meter_id)


def read_json_body(body: bytes) -> list[Reading]:
    """Read `{"readings": [...]}`; numbers keep their decimal text.

    Raises:
        InvalidReadingsError: with the places of what is wrong.
    """
    return _read_document(load_exactly(body), fields=("readings",))


def load_exactly(body: str | bytes) -> object:
    """Read JSON whose numbers keep their decimal text.

    Raises:
        InvalidReadingsError: it is no JSON.
    """
    try:
        return json.loads(body, parse_float=_exactly, parse_int=_exactly, parse_constant=lambda _: _NO_NUMBER)
    except (ValueError, RecursionError) as error:
        raise InvalidReadingsError([Problem("body", "must be JSON")]) from error


def read_detail(detail: object) -> tuple[str, list[Reading]]:
    """Read the detail of a `meter_readings` event: the meter's id and its readings.

    Raises:
        InvalidReadingsError: with the places of what is wrong.
    """
    readings = _read_document(detail, fields=("smart_meter_id", "readings"))
    assert isinstance(detail, Mapping)  # noqa: S101 - else it has been refused
    meter_id = detail.get("smart_meter_id")
    if not isinstance(meter_id, str) or not is_meter_id(meter_id):
        raise InvalidReadingsError([Problem("smart_meter_id", "must be the id of a smart meter")])
    return meter_id, readings


def _read_document(document: object, fields: Sequence[str]) -> list[Reading]:
    if not isinstance(document, Mapping):
        raise InvalidReadingsError([Problem("body", "must be a JSON object")])
    if unknown := [str(name)[:64] for name in document if name not in fields]:
        raise InvalidReadingsError([Problem(name, "is not a field of this") for name in unknown])
    entries = document.get("readings")
    if not isinstance(entries, list):
        raise InvalidReadingsError([Problem("readings", "must be a list of readings")])
    return read_entries(entries)


_NO_NUMBER = Decimal("NaN")


def _exactly(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond all bounds
        return _NO_NUMBER


def store_upload(
    meters: MeterStore, store: ReadingStore, meter_id: str, readings: list[Reading], now: datetime
) -> Counts:
    """Store readings; a meter that is not known yet is registered.

    Raises:
        MeterIsSimulatedError: the meter stores no readings.
    """
    meter = meters.get(meter_id)
    if meter is None:
        meters.register(Meter(meter_id, MeterKind.METERED, created_at=now))
    elif meter.kind is MeterKind.SIMULATED:
        raise MeterIsSimulatedError(meter_id)
    counts = store.store(meter_id, readings)
    logger.info("Readings stored", smart_meter_id=meter_id, stored=counts.stored, updated=counts.updated)
    return counts
