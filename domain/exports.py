"""Export jobs: what may happen to one, and what forbids it.

Each change is a function of the job as it is stored. `infra.exports.job_store` stores the result on condition
that the job is still the one the function saw, and asks the function again where it is not.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from domain.contracts.events import Component
from domain.meters.csv_format import ExtraColumn
from domain.meters.local_periods import Resolution
from domain.meters.readings import Interval
from domain.users import Caller

FILE_LIFETIME = timedelta(days=7)
"""The bucket's lifecycle deletes files after as many days."""
MAX_ATTEMPTS = 3
"""Equals the queue's maxReceiveCount."""
MAX_OPEN_EXPORTS = 5
"""Jobs that one user may have waiting or under way at a time."""
CANCELLED_COUNTS = timedelta(minutes=1)
"""How long after it was asked for a cancelled job counts among them: else asking and cancelling in turn would
make work without end."""
LEASE = timedelta(seconds=90)
"""How long an attempt owns its job after its last report. An attempt that lives reports every second, or after
the one call it is waiting for: the longest, a part of a file sent three times, ends within 65 seconds. One that was
only slow is harmless: the next attempt writes elsewhere, and the job refuses what an earlier one reports."""
SETTLING = timedelta(seconds=15)
"""How long after an instant a write may still be under way that is recorded at it or before: three sendings of a
transaction with their pauses take ten seconds, and the clocks of two functions differ by less than the rest."""
UNSENT_AFTER = timedelta(minutes=3)
"""A job that nobody has claimed so long after it was sent is sent again."""
LOST_AFTER = timedelta(days=1)
"""A job that is still pending then has failed, whatever is in the queue."""


class Status(StrEnum):
    """What has become of a job."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ExportFile(NamedTuple):
    """The file that an attempt has made."""

    key: str
    size_bytes: int
    record_count: int
    sha256: str
    expires_at: datetime


class Failure(NamedTuple):
    """Why there is no file."""

    code: str
    message: str
    details: str


class Format(StrEnum):
    """How a file of contracts is written."""

    CSV = "csv"
    NDJSON = "ndjson"


class ContractsOrder(NamedTuple):
    """Which contracts a file is to hold, and how.

    Those that are active `on` a day and that have the `component`, all where nothing is named; with `trail`
    the rows of their trails too.
    """

    format: Format
    on: date | None = None
    component: Component | None = None
    trail: bool = False


CONTRACTS = "#contracts"
"""Stands for the meter's id where a job is about contracts; no meter has this id."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """The order for one file, and how far it has come.

    The file has the extra `columns`, and what was known at `known_at`, or else when it is written. It is summed up
    by the periods of `timezone`, or else of the meter's, unless its `resolution` is raw.
    `attempt` counts the claims; the last one owns the job until `lease_until`. `due_at` is when a
    pending job is recovered, should nothing have happened to it.
    """

    id: str
    meter_id: str
    period: Interval
    owner: str
    created_at: datetime
    updated_at: datetime
    status: Status = Status.PENDING
    progress: int = 0
    attempt: int = 0
    lease_until: datetime | None = None
    due_at: datetime | None = None
    file: ExportFile | None = None
    failure: Failure | None = None
    columns: tuple[ExtraColumn, ...] = ()
    known_at: datetime | None = None
    contracts: ContractsOrder | None = None
    resolution: Resolution = Resolution.RAW
    timezone: str | None = None

    @property
    def filename(self) -> str:
        """The name that the file has for people."""
        if self.contracts:
            return f"contracts_{self.created_at:%Y%m%d}.{self.contracts.format}"
        return f"smart_meter_{self.meter_id}_{self.period.start:%Y%m%d}_{self.period.end:%Y%m%d}.csv"

    @property
    def key(self) -> str:
        """Where the current attempt puts its file: never where an earlier one did."""
        return f"{folder_of(self.id)}{self.attempt}/{self.filename}"

    def status_at(self, now: datetime) -> Status:
        """Return the status, which a completed job changes when its file's time is over."""
        expired = self.file is not None and self.file.expires_at <= now
        return Status.EXPIRED if expired else self.status


def folder_of(job_id: str) -> str:
    """Return what the keys of all attempts at a job begin with."""
    return f"exports/{job_id}/"


class ExportNotFoundError(Exception):
    """No export job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job with ID '{job_id}' not found")


class TooManyExportsError(Exception):
    """The user has as many open exports as one may have."""

    def __init__(self) -> None:
        super().__init__(
            f"At most {MAX_OPEN_EXPORTS} exports may be open at a time; a cancelled one counts until a minute after"
            " it was asked for. Wait for one."
        )


class ExportNotReadyError(Exception):
    """The job has no file to download: not yet, or never."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"The export has no file to download; its status is {status}.")


class ExportExpiredError(Exception):
    """The lifetime of the job's file is over."""

    def __init__(self) -> None:
        super().__init__("The file of this export has expired. Ask for a new one.")


class ExportFinishedError(Exception):
    """The job has come to an end and cannot be cancelled."""

    def __init__(self) -> None:
        super().__init__("The export has finished already.")


class Refusal(StrEnum):
    """Why something may not happen to a job."""

    NOT_FOUND = "not_found"
    FINISHED = "finished"
    LEASED = "leased"
    EXHAUSTED = "exhausted"
    SUPERSEDED = "superseded"
    NOT_DUE = "not_due"


def visible_to(job: ExportJob | None, caller: Caller) -> ExportJob | None:
    """Return `job` where `caller` may know of it: an admin, or who asked for it."""
    return job if job is not None and (caller.is_admin or job.owner == caller.id) else None


def counts_as_open(job: ExportJob, now: datetime) -> bool:
    """Tell whether `job` is one of the MAX_OPEN_EXPORTS that its owner may have."""
    recently_cancelled = job.status is Status.CANCELLED and now - job.created_at < CANCELLED_COUNTS
    return job.status is Status.PENDING or recently_cancelled


def new_job(job_id: str, meter_id: str, period: Interval, owner: str, now: datetime) -> ExportJob:
    """Return a job that nobody has worked on."""
    return ExportJob(job_id, meter_id, period, owner, now, now, due_at=now + UNSENT_AFTER)


def new_contracts_job(job_id: str, order: ContractsOrder, owner: str, now: datetime) -> ExportJob:
    """Return a job for a file of contracts that nobody has worked on."""
    return replace(new_job(job_id, CONTRACTS, Interval(now, now), owner, now), contracts=order)


def claim(job: ExportJob, now: datetime) -> ExportJob | Refusal:
    """Begin an attempt: no other is under way, and not all have been used up."""
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
    """Note how far `attempt` is, in percent, and that it lives."""
    lease_until = now + LEASE
    return _not_current(job, attempt) or replace(
        job, progress=progress, lease_until=lease_until, due_at=lease_until, updated_at=now
    )


def release(job: ExportJob, attempt: int, now: datetime) -> ExportJob | Refusal:
    """Give up `attempt`, so that another can be made at once."""
    return _not_current(job, attempt) or replace(
        job, lease_until=None, due_at=now + UNSENT_AFTER, updated_at=now
    )


def complete(job: ExportJob, attempt: int, file: ExportFile, now: datetime) -> ExportJob | Refusal:
    """Finish with the file that `attempt` has made."""
    return _not_current(job, attempt) or _finish(replace(job, file=file, progress=100), Status.COMPLETED, now)


def fail(job: ExportJob, attempt: int, failure: Failure, now: datetime) -> ExportJob | Refusal:
    """Finish without a file, on the word of `attempt`."""
    return _not_current(job, attempt) or _finish(replace(job, failure=failure), Status.FAILED, now)


def cancel(job: ExportJob, now: datetime) -> ExportJob | Refusal:
    """Finish because nobody wants the file any more."""
    return _finish(job, Status.CANCELLED, now) if job.status is Status.PENDING else Refusal.FINISHED


def recover(job: ExportJob, now: datetime) -> ExportJob | Refusal:
    """Recover a pending job to which nothing has happened in its time.

    It fails where no further attempt would be made or it has waited for a day; otherwise it stays
    pending, is due again later, and is to be sent.
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


EXPORT_FAILED = Failure(
    "EXPORT_FAILED", "The export could not be completed.", "Every attempt has failed. Ask for it again."
)


def meter_not_found(meter_id: str) -> Failure:
    """Return the failure of a job whose meter does not exist."""
    return Failure(
        "SMART_METER_NOT_FOUND",
        f"Smart meter '{meter_id}' not found",
        "No readings have been stored under this smart_meter_id.",
    )


def time_zone_unsupported(reason: str) -> Failure:
    """Return the failure of a job whose readings no sums of its time zone can be given of."""
    return Failure("TIME_ZONE_UNSUPPORTED", "The readings cannot be summed up in this time zone", reason)
