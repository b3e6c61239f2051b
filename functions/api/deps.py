"""What a route may ask for. Async, because FastAPI runs plain functions on a thread of their own."""

from functools import cache
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Path, Query

from domain.contracts import CONTRACT_NUMBER_PATTERN
from domain.readings import METER_ID_PATTERN
from functions.api.errors import UnauthenticatedError
from infra.aws import dynamodb, s3, sqs
from infra.contracts import ContractStore
from infra.cursors import Cursors
from infra.export_files import ExportFiles
from infra.export_queue import ExportQueue
from infra.exports import ExportStore
from infra.meters import MeterStore
from infra.readings import ReadingStore
from infra.secrets import signing_secret
from infra.settings import AuthMode, settings
from infra.timelines import TimelineStore


@cache
def _contracts() -> ContractStore:
    return ContractStore(dynamodb(), settings().contracts_table)


@cache
def _timelines() -> TimelineStore:
    return TimelineStore(dynamodb(), settings().contracts_table)


@cache
def _meters() -> MeterStore:
    return MeterStore(dynamodb(), settings().readings_table)


@cache
def _readings() -> ReadingStore:
    return ReadingStore(dynamodb(), settings().readings_table)


@cache
def _exports() -> ExportStore:
    return ExportStore(dynamodb(), settings().export_jobs_table, fresh_id=lambda: uuid4().hex)


@cache
def _export_files() -> ExportFiles:
    return ExportFiles(s3(), settings().export_bucket)


@cache
def _export_queue() -> ExportQueue:
    return ExportQueue(sqs(), settings().export_queue_url)


async def contracts() -> ContractStore:
    """Return the store of contracts."""
    return _contracts()


async def timelines() -> TimelineStore:
    """Return the store of timelines."""
    return _timelines()


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


async def cursors() -> Cursors:
    """Return what seals and opens cursors; it asks for the secret only when it is needed."""
    return Cursors(lambda: signing_secret(settings().signing_secret))


async def require_caller() -> None:
    """Let a caller in.

    Deny by default: until the service has users, AUTH_MODE=required lets nobody in.

    Raises:
        UnauthenticatedError: AUTH_MODE is not open.
    """
    if settings().auth_mode is not AuthMode.OPEN:
        raise UnauthenticatedError


async def caller() -> str:
    """Return who calls: nobody in particular, until the service has users."""
    return "anonymous"


Contracts = Annotated[ContractStore, Depends(contracts)]
Meters = Annotated[MeterStore, Depends(meters)]
Readings = Annotated[ReadingStore, Depends(readings)]
Exports = Annotated[ExportStore, Depends(exports)]
Files = Annotated[ExportFiles, Depends(export_files)]
Queue = Annotated[ExportQueue, Depends(export_queue)]
Caller = Annotated[str, Depends(caller)]
Timelines = Annotated[TimelineStore, Depends(timelines)]
CursorSeal = Annotated[Cursors, Depends(cursors)]
Number = Annotated[
    str, Path(pattern=CONTRACT_NUMBER_PATTERN, description="Number of a contract", examples=["1001"])
]
MeterId = Annotated[str, Path(pattern=METER_ID_PATTERN, description="Id of a smart meter", examples=["123"])]
Limit = Annotated[int, Query(ge=1, le=200, description="Most entries in one answer")]
Cursor = Annotated[str | None, Query(max_length=1024, description="`next_cursor` of the answer before")]
