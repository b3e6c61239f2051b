"""The readings among the messages of the ingestion queue."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from functions.uploads import load_exactly, read_detail, take_in
from infra.aws import dynamodb
from infra.meters import MeterStore
from infra.readings import ReadingStore
from infra.settings import IngestionSettings, settings

DETAIL_TYPE = "meter_readings"


@cache
def _meters() -> MeterStore:
    return MeterStore(dynamodb(), settings(IngestionSettings).readings_table)


@cache
def _readings() -> ReadingStore:
    return ReadingStore(dynamodb(), settings(IngestionSettings).readings_table)


def has_readings(body: str) -> bool:
    """Tell whether a message may hold readings; whether it does is seen when they are stored."""
    return f'"{DETAIL_TYPE}"' in body


def store_readings(body: str, now: datetime) -> bool:
    """Store the readings that a message holds; say whether it holds readings at all.

    Raises:
        InvalidReadingsError: they are not as they must be; nothing is stored.
        MeterIsSimulatedError: the meter stores none.
        OutcomeUnknownError: they may have been stored; storing them again is harmless.
    """
    envelope = load_exactly(body)
    if not isinstance(envelope, Mapping) or envelope.get("detail-type") != DETAIL_TYPE:
        return False
    meter_id, readings = read_detail(envelope.get("detail"))
    take_in(_meters(), _readings(), meter_id, readings, now)
    return True
