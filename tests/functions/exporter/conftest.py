"""A worker on moto, with a clock that a test sets and parts of a few hundred bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import uuid4

import pytest

from domain import exports
from domain.exports import ExportJob
from domain.meters.csv_format import HEADER, read_line
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from functions.exporter.worker import Worker
from infra import aws
from infra.exports.files import ExportFiles
from infra.exports.job_store import ExportStore
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore

START = datetime(2024, 1, 1, tzinfo=UTC)
PERIOD = Interval(START + timedelta(minutes=30), START + timedelta(hours=1, minutes=30))
CONTENT = HEADER + b"".join(simulate("m", PERIOD))


@dataclass
class World:
    """Everything an export touches, and the time there."""

    jobs: ExportStore
    meters: MeterStore
    readings: ReadingStore
    files: ExportFiles
    now: datetime = START + timedelta(days=100)
    ids: Iterator[int] = field(default_factory=count)

    def worker(self) -> Worker:
        """Start a worker that reports its progress after each hour."""
        return Worker(self.jobs, self.meters, self.readings, self.files, timedelta(0), lambda: self.now)

    def new_job(self, meter_id: str = "m", period: Interval = PERIOD) -> str:
        """Store a job that nobody has worked on."""
        job = exports.new_job(f"job-{next(self.ids)}", meter_id, period, "anonymous", self.now)
        self.jobs.create(job)
        return job.id

    def job(self, job_id: str) -> ExportJob:
        """Read a job that must be there."""
        job = self.jobs.get(job_id)
        assert job is not None
        return job

    def stored_keys(self) -> list[str]:
        """List the files of the bucket."""
        listed = self.files.client.list_objects_v2(Bucket=self.files.bucket).get("Contents", [])
        return [file["Key"] for file in listed]

    def unfinished_uploads(self) -> list[str]:
        """List the uploads that were begun and neither completed nor aborted."""
        listed = self.files.client.list_multipart_uploads(Bucket=self.files.bucket)
        return [upload["Key"] for upload in listed.get("Uploads", [])]


@pytest.fixture
def world(cloud: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """Store two hours of a meter's readings, on moto."""
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    meters, readings = MeterStore(aws.dynamodb(), "readings"), ReadingStore(aws.dynamodb(), "readings")
    meters.register(Meter("m", MeterKind.METERED, START))
    hours = Interval(START, START + timedelta(hours=2))
    readings.store("m", [read_line(line) for block in simulate("m", hours) for line in block.splitlines()])
    return World(
        jobs=ExportStore(aws.dynamodb(), "export-jobs", fresh_id=lambda: uuid4().hex),
        meters=meters,
        readings=readings,
        files=ExportFiles(aws.s3(), "exports", part_bytes=1500),
    )
