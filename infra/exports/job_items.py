"""The DynamoDB items of export jobs: one for each."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from domain.contracts.events import Component
from domain.exports import ContractsOrder, ExportFile, ExportJob, Failure, Format, Status
from domain.instants import from_micros, to_micros
from domain.meters.csv_format import ExtraColumn
from domain.meters.local_periods import Resolution
from domain.meters.readings import Interval
from infra.telemetry import logger

Item = Mapping[str, Any]

OPEN = "yes"
"""The partition of the index `open`; only pending jobs have it."""
_RETENTION_AFTER_END = timedelta(days=90)


class StoredJob(NamedTuple):
    """A job, and the id of the write that stored it."""

    job: ExportJob
    change: str


def number_of(value: int | datetime) -> dict[str, str]:
    """Return the attribute of a number, or of an instant as microseconds."""
    return {"N": str(to_micros(value) if isinstance(value, datetime) else value)}


def to_item(stored: StoredJob) -> dict[str, Any]:
    """Return the item of a job; while it is pending it is in the index of open jobs, later it expires."""
    job = stored.job
    item = {
        "job_id": {"S": job.id},
        "change": {"S": stored.change},
        "smart_meter_id": {"S": job.meter_id},
        "period_start": number_of(job.period.start),
        "period_end": number_of(job.period.end),
        "owner": {"S": job.owner},
        "created_at": number_of(job.created_at),
        "updated_at": number_of(job.updated_at),
        "status": {"S": job.status},
        "progress": number_of(job.progress),
        "attempt": number_of(job.attempt),
    }
    if job.lease_until:
        item["lease_until"] = number_of(job.lease_until)
    if job.due_at:
        item |= {"open": {"S": OPEN}, "due_at": number_of(job.due_at)}
    if job.status is not Status.PENDING:
        item["delete_at"] = {"N": str(int((job.updated_at + _RETENTION_AFTER_END).timestamp()))}
    if job.columns:
        item["columns"] = {"L": [{"S": column} for column in job.columns]}
    if job.known_at:
        item["known_at"] = number_of(job.known_at)
    if job.contracts:
        item["contracts"] = {"M": _order_item(job.contracts)}
    if job.resolution is not Resolution.RAW:
        item["resolution"] = {"S": job.resolution}
    if job.timezone:
        item["timezone"] = {"S": job.timezone}
    if job.file:
        item["file"] = {"M": _file_item(job.file)}
    if job.failure:
        item["failure"] = {"M": {name: {"S": text} for name, text in job.failure._asdict().items()}}
    return item


def _order_item(order: ContractsOrder) -> dict[str, Any]:
    item: dict[str, Any] = {"format": {"S": order.format}, "trail": {"BOOL": order.trail}}
    if order.on:
        item["on"] = {"S": order.on.isoformat()}
    if order.component:
        item["component"] = {"S": order.component}
    return item


def _to_order(item: Item) -> ContractsOrder:
    return ContractsOrder(
        Format(item["format"]["S"]),
        date.fromisoformat(item["on"]["S"]) if "on" in item else None,
        Component(item["component"]["S"]) if "component" in item else None,
        item["trail"]["BOOL"],
    )


def _file_item(file: ExportFile) -> dict[str, Any]:
    return {
        "key": {"S": file.key},
        "size_bytes": number_of(file.size_bytes),
        "record_count": number_of(file.record_count),
        "sha256": {"S": file.sha256},
        "expires_at": number_of(file.expires_at),
    }


def to_job(item: Item) -> StoredJob:
    """Return the job of an item."""
    job = ExportJob(
        id=item["job_id"]["S"],
        meter_id=item["smart_meter_id"]["S"],
        period=Interval(_instant(item["period_start"]), _instant(item["period_end"])),
        owner=item["owner"]["S"],
        created_at=_instant(item["created_at"]),
        updated_at=_instant(item["updated_at"]),
        status=Status(item["status"]["S"]),
        progress=int(item["progress"]["N"]),
        attempt=int(item["attempt"]["N"]),
        lease_until=_instant(item["lease_until"]) if "lease_until" in item else None,
        due_at=_instant(item["due_at"]) if "due_at" in item else None,
        file=_to_file(item["file"]["M"]) if "file" in item else None,
        failure=_to_failure(item["failure"]["M"]) if "failure" in item else None,
        columns=tuple(ExtraColumn(column["S"]) for column in item.get("columns", {"L": []})["L"]),
        known_at=_instant(item["known_at"]) if "known_at" in item else None,
        contracts=_to_order(item["contracts"]["M"]) if "contracts" in item else None,
        resolution=Resolution(item["resolution"]["S"]) if "resolution" in item else Resolution.RAW,
        timezone=item["timezone"]["S"] if "timezone" in item else None,
    )
    return StoredJob(job, item["change"]["S"])


def readable(items: Iterable[Item]) -> Iterator[ExportJob]:
    """Yield the jobs of items; one that cannot be read is skipped and logged."""
    for item in items:
        try:
            yield to_job(item).job
        except (LookupError, TypeError, ValueError):
            logger.exception("Export cannot be read", job_id=item["job_id"]["S"])


def _instant(number: Item) -> datetime:
    return from_micros(int(number["N"]))


def _to_file(item: Item) -> ExportFile:
    return ExportFile(
        key=item["key"]["S"],
        size_bytes=int(item["size_bytes"]["N"]),
        record_count=int(item["record_count"]["N"]),
        sha256=item["sha256"]["S"],
        expires_at=_instant(item["expires_at"]),
    )


def _to_failure(item: Item) -> Failure:
    return Failure(item["code"]["S"], item["message"]["S"], item["details"]["S"])
