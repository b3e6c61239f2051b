"""What routes of smart meters may ask for."""

from typing import Annotated

from fastapi import Path

from domain.meters.readings import METER_ID_PATTERN
from functions.api.dependencies import provided
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore

Meters = Annotated[MeterStore, provided(lambda stores: stores.meters)]
Readings = Annotated[ReadingStore, provided(lambda stores: stores.readings)]
MeterId = Annotated[str, Path(pattern=METER_ID_PATTERN, description="Id of a smart meter", examples=["123"])]
