"""Export jobs: what they are, who may see them, and which count as open. For their changes see `export_changes`."""

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
MAX_OPEN_EXPORTS = 5
"""Jobs that one user may have open at a time."""
CANCELLED_COUNTS = timedelta(minutes=1)
"""How long after its creation a cancelled job still counts as open: otherwise creating and cancelling jobs
would start unlimited work."""
SETTLING = timedelta(seconds=15)
"""How long after an instant a write that is recorded at it, or before it, may take to be stored: three attempts of a
transaction with their pauses take ten seconds, and the clocks of two functions differ by less than the rest."""
UNSENT_AFTER = timedelta(minutes=3)
"""After this time, a job that no worker has claimed is sent again."""


class Status(StrEnum):
    """The state of a job."""

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
    """The format of a file of contracts."""

    CSV = "csv"
    NDJSON = "ndjson"


class ContractsOrder(NamedTuple):
    """Which contracts a file contains, and in which format.

    Those that are active `on` a day and have the `component`; None means all; with `trail`
    the rows of their trails too.
    """

    format: Format
    on: date | None = None
    component: Component | None = None
    trail: bool = False


CONTRACTS = "#contracts"
"""The meter id of jobs about contracts; no meter has this id."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """The request for one file, and its progress.

    The file has the extra `columns`, and the readings as known at `known_at`, or else when it is written. They are
    summed by the periods of `timezone`, or else of the zone of the meter, unless `resolution` is raw.
    `attempt` counts the claims; the last one owns the job until `lease_until`. `due_at` is when a
    pending job is recovered if it has not changed until then.
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
        """The name under which the file is downloaded."""
        if self.contracts:
            return f"contracts_{self.created_at:%Y%m%d}.{self.contracts.format}"
        return f"smart_meter_{self.meter_id}_{self.period.start:%Y%m%d}_{self.period.end:%Y%m%d}.csv"

    @property
    def key(self) -> str:
        """The key of the file of the current attempt; each attempt has its own."""
        return f"{folder_of(self.id)}{self.attempt}/{self.filename}"

    def status_at(self, now: datetime) -> Status:
        """Return the status; a completed job is expired when its file is."""
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
    """The user already has MAX_OPEN_EXPORTS open exports."""

    def __init__(self) -> None:
        super().__init__(
            f"At most {MAX_OPEN_EXPORTS} exports may be open at a time; a cancelled one counts until a minute after"
            " it was asked for. Wait for one."
        )


class ExportNotReadyError(Exception):
    """The job has no file to download, or not yet."""

    def __init__(self, status: Status) -> None:
        super().__init__(f"The export has no file to download; its status is {status}.")


class ExportExpiredError(Exception):
    """The lifetime of the job's file is over."""

    def __init__(self) -> None:
        super().__init__("The file of this export has expired. Ask for a new one.")


class ExportFinishedError(Exception):
    """The job is finished and cannot be cancelled."""

    def __init__(self) -> None:
        super().__init__("The export has finished already.")


def visible_to(job: ExportJob | None, caller: Caller) -> ExportJob | None:
    """Return `job` if `caller` may see it: its owner or an admin; otherwise None."""
    return job if job is not None and (caller.is_admin or job.owner == caller.id) else None


def counts_as_open(job: ExportJob, now: datetime) -> bool:
    """Return whether `job` is one of the MAX_OPEN_EXPORTS that its owner may have."""
    recently_cancelled = job.status is Status.CANCELLED and now - job.created_at < CANCELLED_COUNTS
    return job.status is Status.PENDING or recently_cancelled


def new_job(job_id: str, meter_id: str, period: Interval, owner: str, now: datetime) -> ExportJob:
    """Return a job that nobody has worked on."""
    return ExportJob(job_id, meter_id, period, owner, now, now, due_at=now + UNSENT_AFTER)


def new_contracts_job(job_id: str, order: ContractsOrder, owner: str, now: datetime) -> ExportJob:
    """Return a job for a file of contracts that nobody has worked on."""
    return replace(new_job(job_id, CONTRACTS, Interval(now, now), owner, now), contracts=order)


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
    """Return the failure of a job whose readings cannot be summed in its time zone."""
    return Failure("TIME_ZONE_UNSUPPORTED", "The readings cannot be summed up in this time zone", reason)
