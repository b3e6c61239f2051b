"""Concurrent workers and uploads, on DynamoDB Local; without the conditions, the same races lose data."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import pytest
from moto import mock_aws

from domain import export_changes, exports
from domain.export_changes import Refusal
from domain.exports import ExportJob, Status
from domain.meters.csv_format import HEADER, read_line
from domain.meters.readings import Interval, Meter, MeterKind, Reading
from domain.meters.simulation import simulate
from functions.exporter.worker import Worker
from infra import aws
from infra.exports import job_store as stored_exports
from infra.exports.files import ExportFiles
from infra.exports.job_store import ExportStore
from infra.meters import hour_writes
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from tests.conftest import create_table
from tests.proof_level import cases
from tests.readings import reading

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_Answer = TypeVar("_Answer")

WORKERS = 8
RACES = cases(15, 100)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = datetime(2024, 1, 1, tzinfo=UTC)
DAY = Interval(HOUR, HOUR + timedelta(days=1))
PART = Interval(HOUR, HOUR + timedelta(hours=8))


@pytest.fixture
def jobs(engine_client: "DynamoDBClient") -> ExportStore:
    table = f"export-jobs-{uuid4().hex}"
    create_table(engine_client, "ExportJobsTable", table)
    return ExportStore(engine_client, table, fresh_id=lambda: uuid4().hex)


@pytest.fixture
def readings(engine_client: "DynamoDBClient") -> ReadingStore:
    table = f"readings-{uuid4().hex}"
    create_table(engine_client, "ReadingsTable", table)
    return ReadingStore(engine_client, table)


def at_once(acts: Sequence[Callable[[], _Answer]]) -> list[_Answer]:
    """Let threads begin `acts` at the same moment; return what they answer, in the order given."""
    line = threading.Barrier(len(acts))

    def begin(act: Callable[[], _Answer]) -> _Answer:
        line.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begin, acts))


def claim(jobs: ExportStore, job_id: str) -> ExportJob | Refusal:
    return jobs.change(job_id, lambda job: export_changes.claim(job, NOW))


def winners_of(jobs: ExportStore, races: int) -> Iterator[int]:
    """Let the workers race for one job again and again; yield how many won each time."""
    for race in range(races):
        job_id = f"job-{race}"
        jobs.create(exports.new_job(job_id, "m", DAY, "anonymous", NOW))
        answers = at_once([partial(claim, jobs, job_id)] * WORKERS)
        yield sum(isinstance(answer, ExportJob) for answer in answers)
        assert {answer for answer in answers if isinstance(answer, Refusal)} <= {Refusal.LEASED}


def test_of_eight_workers_that_race_for_a_job_exactly_one_wins_every_time(jobs: ExportStore) -> None:
    assert list(winners_of(jobs, RACES)) == [1] * RACES


def test_without_the_condition_several_win(jobs: ExportStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_exports, "IS_UNCHANGED", "#change = :change OR attribute_exists(#change)")
    assert any(winners > 1 for winners in winners_of(jobs, races=20))


def test_of_a_concurrent_cancel_and_completion_exactly_one_counts(jobs: ExportStore) -> None:
    file = exports.ExportFile("key", 1, 1, "sha", NOW + exports.FILE_LIFETIME)
    ends: list[Callable[[ExportJob], ExportJob | Refusal]] = [
        lambda job: export_changes.cancel(job, NOW),
        lambda job: export_changes.complete(job, 1, file, NOW),
    ]
    for race in range(cases(10, 30)):
        job_id = f"job-{race}"
        jobs.create(exports.new_job(job_id, "m", DAY, "anonymous", NOW))
        claim(jobs, job_id)
        answers = at_once([partial(jobs.change, job_id, end) for end in ends])
        assert sorted(isinstance(answer, ExportJob) for answer in answers) == [False, True]
        assert jobs.get(job_id) in answers


def upload_of(index: int) -> list[Reading]:
    """Return every eighth minute of three hours."""
    return [
        reading(HOUR + timedelta(hours=hour, minutes=minute), f"{index}", "1", "1", "1")
        for hour in range(3)
        for minute in range(index, 60, WORKERS)
    ]


def lost_readings(store: ReadingStore, races: int) -> Iterator[int]:
    """Let eight uploads meet on the same hours again and again; yield how many readings were lost each time."""
    for race in range(races):
        meter = Meter(f"m{race}", MeterKind.METERED, NOW)
        counts = at_once([partial(store.store, meter.id, upload_of(index)) for index in range(WORKERS)])
        kept = b"".join(store.lines(meter, DAY)).splitlines()
        assert [line[:20] for line in kept] == sorted({line[:20] for line in kept})
        assert sum(count.stored for count in counts) == 180
        yield 180 - len(kept)


def test_concurrent_uploads_to_the_same_hours_lose_nothing(readings: ReadingStore) -> None:
    assert sum(lost_readings(readings, races=cases(4, 10))) == 0


def test_without_the_conditions_they_lose_readings(
    readings: ReadingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hour_writes, "IS_NEW", "attribute_not_exists(#pk) OR attribute_exists(#pk)")
    monkeypatch.setattr(hour_writes, "IS_UNCHANGED", "#version = :version OR attribute_exists(#version)")
    # DynamoDB itself refuses transactions that meet; those that only follow each other are the point.
    assert any(lost_readings(readings, races=10))


# With the credentials of all tests: the session of the clients is kept, and DynamoDB Local's tables are theirs.
@mock_aws(config={"core": {"mock_credentials": False}})
def test_five_exports_at_once_are_five_files(
    jobs: ExportStore, readings: ReadingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    aws.s3().create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    files = ExportFiles(aws.s3(), "exports", part_bytes=20_000)
    meters = MeterStore(readings.client, readings.table)
    worker = Worker(jobs, meters, readings, files, report_every=timedelta(0), now=lambda: NOW)
    contents = {}
    for meter_id in "abcde":
        meters.register(Meter(meter_id, MeterKind.METERED, NOW))
        lines = [line for block in simulate(meter_id, PART) for line in block.splitlines(keepends=True)]
        readings.store(meter_id, map(read_line, lines))
        jobs.create(exports.new_job(f"job-{meter_id}", meter_id, PART, "anonymous", NOW))
        contents[meter_id] = HEADER + b"".join(lines)
    at_once([partial(worker.run, f"job-{meter_id}", is_last_receive=False) for meter_id in "abcde"])
    for meter_id, content in contents.items():
        job = jobs.get(f"job-{meter_id}")
        assert job is not None
        assert job.file is not None
        assert job.status is Status.COMPLETED
        assert job.file.sha256 == hashlib.sha256(content).hexdigest()
        assert files.read(job.file.key) == content
