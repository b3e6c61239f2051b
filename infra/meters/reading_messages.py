"""The readings among the messages of the ingestion queue."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from domain.meters.readings import Reading
from infra.aws import dynamodb
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from infra.meters.store_upload import load_exactly, read_detail, store_upload
from infra.settings import IngestionSettings, settings

DETAIL_TYPE = "meter_readings"


@cache
def _meters() -> MeterStore:
    return MeterStore(dynamodb(), settings(IngestionSettings).readings_table)


@cache
def _readings() -> ReadingStore:
    return ReadingStore(dynamodb(), settings(IngestionSettings).readings_table)


def has_readings(body: str) -> bool:
    """Tell whether a message says that it holds readings."""
    if f'"{DETAIL_TYPE}"' not in body:
        return False
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(envelope, dict) and envelope.get("detail-type") == DETAIL_TYPE


def read_readings(body: str) -> tuple[str, list[Reading]]:
    """Read the id of a meter, and the readings that a message holds for it.

    Raises:
        InvalidReadingsError: they are not as they must be.
    """
    envelope = load_exactly(body)
    return read_detail(envelope.get("detail") if isinstance(envelope, Mapping) else None)


def store_readings(body: str, now: datetime) -> None:
    """Store the readings that a message holds.

    Raises:
        InvalidReadingsError: they are not as they must be; nothing is stored.
        MeterIsSimulatedError: the meter stores none.
        OutcomeUnknownError: they may have been stored; storing them again is harmless.
    """
    meter_id, readings = read_readings(body)
    store_upload(_meters(), _readings(), meter_id, readings, now)
