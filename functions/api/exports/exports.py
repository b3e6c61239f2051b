"""Routes of export jobs and their files."""

import re
from dataclasses import replace
from typing import Annotated
from uuid import uuid4

from fastapi import Query
from starlette.responses import JSONResponse, RedirectResponse, Response

from domain import export_changes, exports
from domain.contracts.trails import AuditDisabledError
from domain.export_changes import Refusal
from domain.exports import (
    ExportExpiredError,
    ExportFinishedError,
    ExportJob,
    ExportNotFoundError,
    ExportNotReadyError,
    Status,
    visible_to,
)
from domain.meters.local_periods import Resolution
from domain.meters.periods import PeriodError, check_known_at, check_period
from domain.meters.readings import Interval
from domain.meters.time_zones import require_quarters, zone
from domain.users import Caller
from functions.api.checked_routes import BadRequestRoute, checked_router
from functions.api.dependencies import IdempotencyKey, IdempotencyKeys
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.exports.dependencies import Exports, Files, Queue
from functions.api.exports.schemas import (
    CancelledView,
    ContractsExportPayload,
    CreatedView,
    ExportPayload,
    FileLinkView,
    JobView,
    NotFoundView,
)
from functions.api.users.dependencies import CurrentCaller
from infra.contracts.event_payloads import utc_now
from infra.exports.create_export import create_in_slot
from infra.exports.files import URL_SECONDS, attachment, content_type_of
from infra.exports.job_store import ExportStore
from infra.exports.queue import ExportQueue
from infra.settings import Settings, settings
from infra.telemetry import logger
from infra.write_outcomes import DEPENDENCY_ERRORS

router = checked_router(
    prefix="/api/export",
    tags=["exports"],
    route_class=BadRequestRoute,
)

MAX_INLINE_BYTES = 4 * 1024 * 1024
"""A Lambda answers 6 MB, in which the file is a JSON string."""

_JOB_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Link = Annotated[
    bool,
    Query(
        description="Answer an address of the file that needs no credentials, for pages that cannot follow a redirect to another origin"
    ),
]


@router.post(
    "/csv",
    responses=describe(
        ErrorCode.TIME_ZONE_UNSUPPORTED, ErrorCode.TOO_MANY_EXPORTS, ErrorCode.IDEMPOTENCY_KEY_REUSED
    ),
)
async def create_export(
    payload: ExportPayload,
    jobs: Exports,
    queue: Queue,
    caller: CurrentCaller,
    keys: IdempotencyKeys,
    key: IdempotencyKey = None,
) -> CreatedView:
    """Ask for the readings of a meter as a CSV file, one by one or summed up by period of a time zone."""
    if key is None:
        return _create(payload, jobs, queue, caller)
    answer = keys.answer(
        f"create_export {caller.id}",
        key,
        payload.model_dump(mode="json"),
        lambda: _create(payload, jobs, queue, caller).model_dump(),
    )
    return CreatedView.model_validate(answer)


@router.post(
    "/contracts",
    responses=describe(
        ErrorCode.AUDIT_DISABLED, ErrorCode.TOO_MANY_EXPORTS, ErrorCode.IDEMPOTENCY_KEY_REUSED
    ),
)
async def create_contracts_export(
    payload: ContractsExportPayload,
    jobs: Exports,
    queue: Queue,
    caller: CurrentCaller,
    keys: IdempotencyKeys,
    key: IdempotencyKey = None,
) -> CreatedView:
    """Ask for the contracts as a file, by the order of their numbers.

    A line for each contract and component (csv), or for each contract (ndjson).
    """
    if payload.trail and not settings(Settings).enable_event_audit:
        raise AuditDisabledError

    def create() -> CreatedView:
        job = exports.new_contracts_job(str(uuid4()), payload.to_domain(), caller.id, utc_now())
        return _start(job, jobs, queue, caller)

    if key is None:
        return create()
    answer = keys.answer(
        f"create_contracts_export {caller.id}",
        key,
        payload.model_dump(mode="json"),
        lambda: create().model_dump(),
    )
    return CreatedView.model_validate(answer)


def _create(payload: ExportPayload, jobs: ExportStore, queue: ExportQueue, caller: Caller) -> CreatedView:
    now = utc_now()
    period = Interval(payload.start_datetime, payload.end_datetime)
    check_period(period, now)
    check_known_at(payload.known_at, now)
    if payload.resolution is not Resolution.RAW:
        if payload.columns:
            raise PeriodError("columns", f"must be left out with resolution {payload.resolution}")
        if payload.tz:
            require_quarters(zone(payload.tz), *period)
    job = replace(
        exports.new_job(str(uuid4()), payload.smart_meter_id, period, caller.id, now),
        columns=tuple(payload.columns),
        known_at=payload.known_at,
        resolution=payload.resolution,
        timezone=payload.tz,
    )
    return _start(job, jobs, queue, caller)


def _start(job: ExportJob, jobs: ExportStore, queue: ExportQueue, caller: Caller) -> CreatedView:
    if caller.user is None:
        jobs.create(job)
    else:
        create_in_slot(jobs, job)
    try:
        queue.send(job.id)
    except DEPENDENCY_ERRORS:
        # The job stands, and the sweep sends what was not sent.
        logger.exception("Export not sent", job_id=job.id)
    return CreatedView(job_id=job.id)


@router.get("/status/{job_id}", response_model_exclude_unset=True)
async def get_export_status(job_id: str, jobs: Exports, caller: CurrentCaller) -> JobView | NotFoundView:
    """Say what has become of an export; also of one that there is not."""
    job = _get(jobs, job_id, caller)
    return NotFoundView.of(job_id) if job is None else JobView.of(job, utc_now())


@router.get(
    "/download/{job_id}",
    response_class=Response,
    responses=describe(ErrorCode.EXPORT_NOT_FOUND, ErrorCode.EXPORT_NOT_READY, ErrorCode.EXPORT_EXPIRED)
    | {
        200: {
            "model": FileLinkView,
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
            "description": "The file; with `link` the address of it",
        },
        307: {"description": "The file is large: it is at the URL in Location, for five minutes"},
    },
)
async def download_export(
    job_id: str,
    jobs: Exports,
    files: Files,
    caller: CurrentCaller,
    link: Link = False,
) -> Response:
    """Give the file of a completed export."""
    job = _get(jobs, job_id, caller)
    if job is None:
        raise ExportNotFoundError(job_id)
    status = job.status_at(utc_now())
    if status is Status.EXPIRED:
        raise ExportExpiredError
    if job.file is None:
        raise ExportNotReadyError(status)
    if link or job.file.size_bytes > MAX_INLINE_BYTES:
        files.require(job.file.key)
        url = files.url(job.file.key, job.filename)
        if link:
            return JSONResponse(FileLinkView(url=url, expires_in=URL_SECONDS).model_dump())
        return RedirectResponse(url, 307, headers={"Cache-Control": "no-store"})
    headers = {"Content-Disposition": attachment(job.filename), "ETag": f'W/"{job.file.sha256}"'}
    return Response(files.read(job.file.key), media_type=content_type_of(job.filename), headers=headers)


@router.delete("/{job_id}", responses=describe(ErrorCode.EXPORT_NOT_FOUND, ErrorCode.EXPORT_FINISHED))
async def cancel_export(job_id: str, jobs: Exports, caller: CurrentCaller) -> CancelledView:
    """Stop an export; a running one stops at its next block."""

    def cancel(job: ExportJob) -> ExportJob | Refusal:
        return export_changes.cancel(job, utc_now()) if visible_to(job, caller) else Refusal.NOT_FOUND

    answer = jobs.change(job_id, cancel) if _JOB_ID.fullmatch(job_id) else Refusal.NOT_FOUND
    if answer is Refusal.NOT_FOUND:
        raise ExportNotFoundError(job_id)
    if isinstance(answer, Refusal):
        raise ExportFinishedError
    return CancelledView()


def _get(jobs: ExportStore, job_id: str, caller: Caller) -> ExportJob | None:
    """Read a job that the caller may know of; what cannot be the id of one is not asked for."""
    return visible_to(jobs.get(job_id), caller) if _JOB_ID.fullmatch(job_id) else None
