"""What the routes of exports take and answer."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from domain.contracts.events import Component
from domain.exports import ContractsOrder, ExportFile, ExportJob, Format, Status
from domain.meters.csv_format import ExtraColumn
from domain.meters.local_periods import Resolution
from domain.meters.readings import METER_ID_PATTERN
from functions.api.meters.market_time import ZoneName
from infra.contracts.event_payloads import CalendarDate, Instant, Payload

_MESSAGES = {
    Status.PENDING: "Job is being processed",
    Status.COMPLETED: "Export completed successfully",
    Status.FAILED: "Export failed",
    Status.CANCELLED: "Export cancelled",
    Status.EXPIRED: "Export file has expired",
}


def _all_different(columns: list[ExtraColumn]) -> list[ExtraColumn]:
    if len(set(columns)) < len(columns):
        raise ValueError("must not name a column twice")
    return columns


class ExportPayload(Payload):
    """An order for the readings of a meter: from the start up to, but without, the end."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "smart_meter_id": "123",
                    "start_datetime": "2024-01-01T00:00:00Z",
                    "end_datetime": "2024-01-02T00:00:00Z",
                    "format": "csv",
                }
            ]
        }
    )

    smart_meter_id: Annotated[str, Field(strict=True, pattern=METER_ID_PATTERN, examples=["123"])]
    start_datetime: Instant = Field(description="In the past")
    end_datetime: Instant = Field(description="1 minute to 366 days after the start, and not in the future")
    format: Literal["csv"] = "csv"
    columns: Annotated[
        list[ExtraColumn],
        Field(max_length=len(ExtraColumn), json_schema_extra={"uniqueItems": True}),
        AfterValidator(_all_different),
    ] = Field(default=[], description="Columns to append, in this order")
    resolution: Resolution = Field(
        default=Resolution.RAW,
        description="One by one, or summed up by period of a time zone: then `timestamp` is the local begin",
    )
    tz: ZoneName | None = Field(
        default=None, description="The zone of the periods; defaults to the meter's, else UTC"
    )
    known_at: Instant | None = Field(
        default=None,
        description=(
            "Give what was known at this instant, not in the future: the same file however much is corrected later"
        ),
    )


class ContractsExportPayload(Payload):
    """An order for contracts: all, or those that are active on a day or have a component."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"format": "csv", "on": "2024-03-01"}]})

    format: Format
    on: CalendarDate | None = Field(default=None, description="Only what is active on this day")
    component: Component | None = Field(default=None, description="Only this component")
    trail: bool = Field(
        default=False,
        strict=True,
        description="With ndjson: the rows of each contract's trail too, as `events`",
    )

    @field_validator("trail")
    @classmethod
    def _has_room_for_a_trail(cls, trail: bool, fields: ValidationInfo) -> bool:
        if trail and fields.data.get("format") is Format.CSV:
            raise ValueError("needs the format ndjson")
        return trail

    def to_domain(self) -> ContractsOrder:
        """Return the order."""
        return ContractsOrder(self.format, self.on, self.component, self.trail)


class CreatedView(BaseModel):
    """A job that was created."""

    job_id: str
    status: Literal["pending"] = "pending"
    message: Literal["Export job created successfully"] = "Export job created successfully"


class NotFoundView(BaseModel):
    """There is no such job."""

    status: Literal["not_found"] = "not_found"
    message: str

    @classmethod
    def of(cls, job_id: str) -> "NotFoundView":
        """Say that no job has this id."""
        return cls(status="not_found", message=f"Job with ID '{job_id}' not found")


class PeriodView(BaseModel):
    """From the start up to, but without, the end."""

    start: Instant
    end: Instant


class FileView(BaseModel):
    """The file of a completed job."""

    filename: str
    download_url: str = Field(description="Path of the download, on the host of this API")
    file_size_bytes: int
    record_count: int
    export_period: PeriodView | None = Field(default=None, description="Of an export of readings")
    sha256: str
    expires_at: Instant

    @classmethod
    def of(cls, job: ExportJob, file: ExportFile) -> "FileView":
        """Show the `file` of `job`."""
        period = PeriodView(start=job.period.start, end=job.period.end)
        return cls(
            filename=job.filename,
            download_url=f"/api/export/download/{job.id}",
            file_size_bytes=file.size_bytes,
            record_count=file.record_count,
            sha256=file.sha256,
            expires_at=file.expires_at,
            **({} if job.contracts else {"export_period": period}),
        )


class FailureView(BaseModel):
    """Why a job has no file."""

    code: Literal["SMART_METER_NOT_FOUND", "EXPORT_FAILED"] | str
    message: str
    details: str


class JobView(BaseModel):
    """What has become of a job; the fields that its status does not have are not shown."""

    job_id: str
    status: Status
    message: str
    created_at: Instant
    updated_at: Instant
    progress: int | None = Field(default=None, description="Percent, of a pending job", ge=0, le=100)
    file_info: FileView | None = Field(default=None, description="Of a completed job")
    error: FailureView | None = Field(default=None, description="Of a failed job")

    @classmethod
    def of(cls, job: ExportJob, now: datetime, **extra: object) -> Self:
        """Show `job` as it is at `now`, with the `extra` fields of this answer."""
        status = job.status_at(now)
        if status is Status.PENDING:
            extra |= {"progress": job.progress}
        if status is Status.COMPLETED and job.file:
            extra |= {"file_info": FileView.of(job, job.file)}
        if job.failure:
            extra |= {"error": FailureView(**job.failure._asdict())}
        return cls(
            job_id=job.id,
            status=status,
            message=_MESSAGES[status],
            created_at=job.created_at,
            updated_at=job.updated_at,
            **extra,
        )


class HistoryView(JobView):
    """What has become of one of a meter's jobs."""

    smart_meter_id: str
    export_period: PeriodView

    @classmethod
    def of(cls, job: ExportJob, now: datetime, **extra: object) -> Self:
        """Show `job` as it is at `now`."""
        period = PeriodView(start=job.period.start, end=job.period.end)
        return super().of(job, now, smart_meter_id=job.meter_id, export_period=period, **extra)


class HistoryPage(BaseModel):
    """Some jobs of a meter, the newest first."""

    items: list[HistoryView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


StoredStatus = Literal["pending", "completed", "failed", "cancelled"]
"""What a job can be asked for by; one whose file has expired is stored as completed."""


class OwnExportView(JobView):
    """What has become of one of the caller's jobs."""

    kind: Literal["readings", "contracts"]
    smart_meter_id: str | None = Field(default=None, description="Of an export of readings")
    export_period: PeriodView | None = Field(default=None, description="Of an export of readings")

    @classmethod
    def of(cls, job: ExportJob, now: datetime, **extra: object) -> Self:
        """Show `job` as it is at `now`."""
        if job.contracts:
            return super().of(job, now, kind="contracts", **extra)
        period = PeriodView(start=job.period.start, end=job.period.end)
        about = {"kind": "readings", "smart_meter_id": job.meter_id, "export_period": period}
        return super().of(job, now, **about, **extra)


class OwnExportPage(BaseModel):
    """Some of the caller's jobs, the newest first."""

    items: list[OwnExportView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class FileLinkView(BaseModel):
    """Where the file of a completed job is."""

    url: str = Field(description="In the bucket; needs no credentials")
    expires_in: int = Field(description="Seconds for which the address is valid", examples=[300])


class CancelledView(BaseModel):
    """The job was cancelled."""

    status: Literal["cancelled"] = "cancelled"
