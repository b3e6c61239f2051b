"""What the routes of smart meters and exports may ask for besides."""

from functools import cache
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Path

from domain.meters.readings import METER_ID_PATTERN
from infra.aws import dynamodb, s3, sqs
from infra.exports.files import ExportFiles
from infra.exports.job_store import ExportStore
from infra.exports.queue import ExportQueue
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from infra.settings import ApiSettings, settings


@cache
def _meters() -> MeterStore:
    return MeterStore(dynamodb(), settings(ApiSettings).readings_table)


@cache
def _readings() -> ReadingStore:
    return ReadingStore(dynamodb(), settings(ApiSettings).readings_table)


@cache
def _exports() -> ExportStore:
    return ExportStore(dynamodb(), settings(ApiSettings).export_jobs_table, fresh_id=lambda: uuid4().hex)


@cache
def _export_files() -> ExportFiles:
    return ExportFiles(s3(), settings(ApiSettings).export_bucket)


@cache
def _export_queue() -> ExportQueue:
    return ExportQueue(sqs(), settings(ApiSettings).export_queue_url)


KEPT = (_meters, _readings, _exports, _export_files, _export_queue)
"""What is kept for the life of the process."""


async def meters() -> MeterStore:
    """Return the register of meters."""
    return _meters()


async def readings() -> ReadingStore:
    """Return the store of readings."""
    return _readings()


async def exports() -> ExportStore:
    """Return the store of export jobs."""
    return _exports()


async def export_files() -> ExportFiles:
    """Return the files of exports."""
    return _export_files()


async def export_queue() -> ExportQueue:
    """Return the queue of export jobs."""
    return _export_queue()


Meters = Annotated[MeterStore, Depends(meters)]
Readings = Annotated[ReadingStore, Depends(readings)]
Exports = Annotated[ExportStore, Depends(exports)]
Files = Annotated[ExportFiles, Depends(export_files)]
Queue = Annotated[ExportQueue, Depends(export_queue)]
MeterId = Annotated[str, Path(pattern=METER_ID_PATTERN, description="Id of a smart meter", examples=["123"])]
