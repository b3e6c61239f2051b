"""The readings among the messages of the ingestion queue."""

import json
from collections.abc import Mapping
from datetime import datetime

from domain.meters.readings import Reading
from infra.meters.store_upload import load_exactly, read_detail, store_upload
from infra.stores import stores

DETAIL_TYPE = "meter_readings"


def has_readings(body: str) -> bool:
    """Tell whether a message says that it holds readings."""
    if f'"{DETAIL_TYPE}"' not in body:
        return False
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(envelope, dict) and envelope.get("detail-type") == DETAIL_TYPE


def read_readings(body: str, now: datetime) -> tuple[str, list[Reading]]:
    """Read the id of a meter, and the readings that a message holds for it.

    Raises:
        InvalidReadingsError: they are not as they must be.
    """
    envelope = load_exactly(body)
    return read_detail(envelope.get("detail") if isinstance(envelope, Mapping) else None, now)


def store_readings(body: str, now: datetime) -> None:
    """Store the readings that a message holds.

    Raises:
        InvalidReadingsError: they are not as they must be; nothing is stored.
        MeterIsSimulatedError: the meter stores none.
        OutcomeUnknownError: they may have been stored; storing them again is harmless.
    """
    meter_id, readings = read_readings(body, now)
    store_upload(stores().meters, stores().readings, meter_id, readings, now)
