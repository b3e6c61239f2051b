"""The changes of an export job, and the reasons to refuse them.

Each change is a function of the job as it is stored. `infra.exports.job_store` stores the result on condition
that the job is still the one that the function was given; if it is not, the function is called again.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.exports import EXPORT_FAILED, UNSENT_AFTER, ExportFile, ExportJob, Failure, Status

MAX_ATTEMPTS = 3
"""Equals the queue's maxReceiveCount."""
LEASE = timedelta(seconds=90)
"""How long an attempt owns its job after its last report. A running attempt reports every second, or after the one
call that it waits for: the longest, a part of a file sent three times, ends within 65 seconds. An attempt that is only
slow is harmless: the next one writes under another key, and the job refuses reports of an earlier one."""
LOST_AFTER = timedelta(days=1)
"""After this time, a pending job has failed, whatever is in the queue."""


class Refusal(StrEnum):
    """Why a change of a job is refused."""

    NOT_FOUND = "not_found"
    FINISHED = "finished"
    LEASED = "leased"
    EXHAUSTED = "exhausted"
    SUPERSEDED = "superseded"
    NOT_DUE = "not_due"


def claim(job: ExportJob, now: datetime) -> ExportJob | Refusal:
    """Start an attempt, unless another one is running or all are used up."""
    if job.status is not Status.PENDING:
        return Refusal.FINISHED
    if _is_leased(job, now):
        return Refusal.LEASED
    if job.attempt >= MAX_ATTEMPTS:
        return Refusal.EXHAUSTED
    lease_until = now + LEASE
    return replace(
        job, attempt=job.attempt + 1, progress=0, lease_until=lease_until, due_at=lease_until, updated_at=now
    )


def report(job: ExportJob, attempt: int, progress: int, now: datetime) -> ExportJob | Refusal:
    """Store the progress of `attempt`, in percent, and renew its lease."""
    lease_until = now + LEASE
    return _not_current(job, attempt) or replace(
        job, progress=progress, lease_until=lease_until, due_at=lease_until, updated_at=now
    )


def release(job: ExportJob, attempt: int, now: datetime) -> ExportJob | Refusal:
    """End `attempt` without a result, so that another one can start at once."""
    return _not_current(job, attempt) or replace(
        job, lease_until=None, due_at=now + UNSENT_AFTER, updated_at=now
    )


def complete(job: ExportJob, attempt: int, file: ExportFile, now: datetime) -> ExportJob | Refusal:
    """Complete the job with the file of `attempt`."""
    return _not_current(job, attempt) or _finish(replace(job, file=file, progress=100), Status.COMPLETED, now)


def fail(job: ExportJob, attempt: int, failure: Failure, now: datetime) -> ExportJob | Refusal:
    """End the job without a file, with the failure of `attempt`."""
    return _not_current(job, attempt) or _finish(replace(job, failure=failure), Status.FAILED, now)


def cancel(job: ExportJob, now: datetime) -> ExportJob | Refusal:
    """Cancel the job, unless it is finished."""
    return _finish(job, Status.CANCELLED, now) if job.status is Status.PENDING else Refusal.FINISHED


def recover(job: ExportJob, now: datetime) -> ExportJob | Refusal:
    """Recover a pending job that is overdue.

    It fails if no attempt is left or it has been pending for a day; otherwise it stays pending, is due
    again later, and has to be sent again.
    """
    if job.status is not Status.PENDING:
        return Refusal.FINISHED
    if _is_leased(job, now):
        return Refusal.LEASED
    if job.due_at is not None and job.due_at > now:
        return Refusal.NOT_DUE
    if job.attempt >= MAX_ATTEMPTS or now - job.created_at >= LOST_AFTER:
        return _finish(replace(job, failure=EXPORT_FAILED), Status.FAILED, now)
    return replace(job, due_at=now + UNSENT_AFTER)


def _is_leased(job: ExportJob, now: datetime) -> bool:
    return job.lease_until is not None and job.lease_until > now


def _not_current(job: ExportJob, attempt: int) -> Refusal | None:
    if job.status is not Status.PENDING:
        return Refusal.FINISHED
    return None if job.attempt == attempt else Refusal.SUPERSEDED


def _finish(job: ExportJob, status: Status, now: datetime) -> ExportJob:
    return replace(job, status=status, lease_until=None, due_at=None, updated_at=now)
