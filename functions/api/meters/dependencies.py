"""What routes of smart meters may ask for."""

from typing import Annotated

from fastapi import Path

from domain.meters.readings import METER_ID_PATTERN, Meter, MeterNotFoundError
from functions.api.dependencies import provided
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore

Meters = Annotated[MeterStore, provided(lambda stores: stores.meters)]
Readings = Annotated[ReadingStore, provided(lambda stores: stores.readings)]
MeterId = Annotated[str, Path(pattern=METER_ID_PATTERN, description="Id of a smart meter", examples=["123"])]


def existing_meter(meters: MeterStore, meter_id: str) -> Meter:
    """Return the meter that a path names.

    Raises:
        MeterNotFoundError: there is none.
    """
    meter = meters.get(meter_id)
    if meter is None:
        raise MeterNotFoundError(meter_id)
    return meter
