"""The ways to write a CSV file that the benchmarks compare.

Run as a program, this file runs one export and prints by how much its peak memory grew.
"""

import csv
import io
import json
import os
import sys
import zlib
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import boto3
from botocore.config import Config

from domain import exports
from domain.meters.csv_format import COLUMNS
from domain.meters.readings import Interval
from functions.exporter.worker import Worker
from infra.exports.files import ExportFiles
from infra.exports.job_store import ExportStore
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

DAYS = int(os.environ.get("BENCH_DAYS", "31"))
"""The days of readings that the tests of this folder export."""
START = datetime(2024, 1, 1, tzinfo=UTC)
BUCKET, READINGS, JOBS, ITEMS = "exports", "readings", "export-jobs", "one-item-each"
METERED, SIMULATED = "metered", "simulated"


def days(count: int) -> Interval:
    """Return the first days of the year."""
    return Interval(START, START + timedelta(days=count))


def client(service: str, variables: Mapping[str, str]) -> Any:
    """Return a client with the service's retry settings, for the AWS of an environment's `variables`."""
    return boto3.client(
        cast("Any", service),
        endpoint_url=variables.get(f"AWS_ENDPOINT_URL_{service.upper()}", variables["AWS_ENDPOINT_URL"]),
        region_name="eu-central-1",
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=variables["AWS_SESSION_TOKEN"],
        config=Config(read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3}),
    )


class Exporter:
    """The export worker itself, on an emulated AWS."""

    def __init__(self, dynamodb: "DynamoDBClient", s3: "S3Client") -> None:
        self.jobs = ExportStore(dynamodb, JOBS, fresh_id=lambda: uuid4().hex)
        meters, readings = MeterStore(dynamodb, READINGS), ReadingStore(dynamodb, READINGS)
        self.worker = Worker(self.jobs, meters, readings, ExportFiles(s3, BUCKET))

    def run(self, meter_id: str, period: Interval) -> int:
        """Run one export from its claim to its completion; return the number of rows."""
        job = exports.new_job(uuid4().hex, meter_id, period, "bench", datetime.now(UTC))
        self.jobs.create(job)
        with redirect_stdout(io.StringIO()):  # hides the metrics
            self.worker.run(job.id, is_last_receive=True)
        done = self.jobs.get(job.id)
        assert done is not None
        assert done.file is not None, done.failure
        return done.file.record_count


def decompress_and_write(bodies: Iterable[bytes], path: Path) -> None:
    """Do only what every export of compressed blocks must do: the lower limit."""
    with path.open("wb") as file:
        for body in bodies:
            file.write(zlib.decompress(body, 47))


def one_item_each(dynamodb: "DynamoDBClient", path: Path) -> int:
    """Write the file from a table with one item for each reading; return the number of rows."""
    rows = 0
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        pages = dynamodb.get_paginator("query").paginate(
            TableName=ITEMS,
            KeyConditionExpression="pk = :meter",
            ExpressionAttributeValues={":meter": {"S": METERED}},
        )
        for page in pages:
            for item in page["Items"]:
                values = (item[name]["N"] for name in COLUMNS[2:])
                writer.writerow([item["sk"]["S"], item["pk"]["S"], *values])
                rows += 1
    return rows


def write_csv(rows: Iterable[list[str]]) -> None:
    """Write rows that are already in memory."""
    csv.writer(io.StringIO(newline="")).writerows(rows)


def peak_mebibytes() -> float:
    """Return the peak memory of this process, in MiB.

    Not from getrusage: a process inherits that peak from the process that started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Run a small export, then the measured one; print by how many MiB the second raised the peak."""
    meter_id, count = sys.argv[1:]
    exporter = Exporter(client("dynamodb", os.environ), client("s3", os.environ))
    exporter.run(meter_id, days(1))
    before = peak_mebibytes()
    rows = exporter.run(meter_id, days(int(count)))
    print(json.dumps({"rows": rows, "growth": peak_mebibytes() - before}))


if __name__ == "__main__":
    main()
