"""The cost of an export, as ratios within one run: readings on DynamoDB Local, files in an emulated S3.

Exports of a month by default; `make bench` runs exports of a whole year.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from domain.meters.csv_format import read_line
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from infra.local.emulator import emulator
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from tests.bench import exports as bench
from tests.bench.exports import DAYS
from tests.bench.ratios import best_of_tries, ratio_of_cpu
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ITEM_DAYS = (
    2  # of the table with one item for each reading, which is slow to fill; its cost is compared per row
)
MINUTES_OF_A_DAY = 1440
TURNS = 3

pytestmark = [
    pytest.mark.xdist_group("bench"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc"),
]


class Stage:
    """Tables with the readings of a meter in both shapes, and a bucket."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self.dynamodb: DynamoDBClient = bench.client("dynamodb", variables)
        self.s3: S3Client = bench.client("s3", variables)
        self.exporter = bench.Exporter(self.dynamodb, self.s3)

    def fill(self) -> None:
        """Store the readings: an hour to an item, and the first days also a reading to an item."""
        create_table(self.dynamodb, "ReadingsTable", bench.READINGS)
        create_table(self.dynamodb, "ExportJobsTable", bench.JOBS)
        create_table(self.dynamodb, "ContractsTable", bench.ITEMS)
        self.s3.create_bucket(
            Bucket=bench.BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        meters, store = MeterStore(self.dynamodb, bench.READINGS), ReadingStore(self.dynamodb, bench.READINGS)
        meters.register(Meter(bench.METERED, MeterKind.METERED, bench.START))
        meters.register(Meter(bench.SIMULATED, MeterKind.SIMULATED, bench.START))
        for first in range(0, DAYS, 31):
            part = Interval(bench.days(first).end, bench.days(min(first + 31, DAYS)).end)
            store.store(bench.METERED, map(read_line, lines_of(bench.METERED, part)))
        items = [_item(line.decode()) for line in lines_of(bench.METERED, bench.days(ITEM_DAYS))]
        for first in range(0, len(items), 25):
            puts: Any = [{"PutRequest": {"Item": item}} for item in items[first : first + 25]]
            self.dynamodb.batch_write_item(RequestItems={bench.ITEMS: puts})

    def bodies(self, count: int) -> list[bytes]:
        """Read the compressed blocks of the first days."""
        store = ReadingStore(self.dynamodb, bench.READINGS)
        items = store._hours(bench.METERED, bench.days(count).timestamps, ["body"])
        return [item["body"]["B"] for item in items]


def lines_of(meter_id: str, interval: Interval) -> Iterator[bytes]:
    for block in simulate(meter_id, interval):
        yield from block.splitlines()


def _item(line: str) -> dict[str, Any]:
    at, meter_id, *values = line.split(",")
    item: dict[str, Any] = {"pk": {"S": meter_id}, "sk": {"S": at}}
    for name, value in zip(("energy_kwh", "power_kw", "voltage_v", "current_a"), values, strict=True):
        item[name] = {"N": value}
    return item


@pytest.fixture(scope="module")
def stage(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with emulator(tmp_path_factory.mktemp("cloud")) as cloud:
        stage = Stage({**cloud.variables, "AWS_ENDPOINT_URL_DYNAMODB": engine})
        stage.fill()
        yield stage
        for table in (bench.READINGS, bench.JOBS, bench.ITEMS):
            stage.dynamodb.delete_table(TableName=table)


@pytest.fixture
def at_most(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Return what checks, and reports, the CPU time of a way as a multiple of that of another."""

    def check(
        name: str,
        limit: float,
        way: Callable[[], object],
        other: Callable[[], object],
        share: float = 1,
    ) -> None:
        """`share` is by how much more the other way does."""
        ratio = best_of_tries(limit, lambda: share * ratio_of_cpu(way, other, TURNS))
        report(record_property, name, ratio)
        assert ratio <= limit

    return check


def report(record_property: Callable[[str, object], None], name: str, value: float) -> None:
    record_property(name, round(value, 3))
    sys.stderr.write(f"\n{name}: {value:.3f}\n")


def test_an_export_costs_at_most_eight_times_the_lower_limit(
    stage: Stage, tmp_path: Path, at_most: Callable[..., None]
) -> None:
    bodies, period = stage.bodies(DAYS), bench.days(DAYS)
    assert stage.exporter.run(bench.METERED, period) == DAYS * MINUTES_OF_A_DAY
    at_most(
        f"export of {DAYS} days / decompress and write",
        8,
        lambda: stage.exporter.run(bench.METERED, period),
        lambda: bench.decompress_and_write(bodies, tmp_path / "lower-limit.csv"),
    )


def test_an_export_costs_at_most_a_tenth_of_an_export_of_one_item_for_each_reading(
    stage: Stage, tmp_path: Path, at_most: Callable[..., None]
) -> None:
    assert bench.one_item_each(stage.dynamodb, tmp_path / "items.csv") == ITEM_DAYS * MINUTES_OF_A_DAY
    at_most(
        "row of an export / row of one item each",
        0.1,
        lambda: stage.exporter.run(bench.METERED, bench.days(DAYS)),
        lambda: bench.one_item_each(stage.dynamodb, tmp_path / "items.csv"),
        share=ITEM_DAYS / DAYS,
    )


def test_an_export_of_simulated_readings_costs_at_most_three_times_csv_writer(
    stage: Stage, at_most: Callable[..., None]
) -> None:
    period = bench.days(DAYS)
    rows = [line.decode().split(",") for line in lines_of(bench.SIMULATED, period)]
    at_most(
        f"simulated: {DAYS} days / csv.writer over prebuilt rows",
        3,
        lambda: stage.exporter.run(bench.SIMULATED, period),
        lambda: bench.write_csv(rows),
    )


@pytest.mark.parametrize("meter_id", [bench.METERED, bench.SIMULATED])
def test_the_cost_grows_linearly_with_the_range(
    stage: Stage, meter_id: str, at_most: Callable[..., None]
) -> None:
    at_most(
        f"{meter_id}: {DAYS} days / half of them",
        2.4,
        lambda: stage.exporter.run(meter_id, bench.days(DAYS)),
        lambda: stage.exporter.run(meter_id, bench.days(DAYS // 2)),
    )


@pytest.mark.parametrize("meter_id", [bench.METERED, bench.SIMULATED])
def test_the_peak_memory_grows_by_at_most_64_mib_for_every_range(
    stage: Stage, meter_id: str, record_property: Callable[[str, object], None]
) -> None:
    command = [sys.executable, "-m", "tests.bench.exports", meter_id, str(DAYS)]
    environment = {**os.environ, **stage.variables}
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["rows"] == DAYS * MINUTES_OF_A_DAY
    report(
        record_property, f"{meter_id}: growth of the peak memory in MiB over {DAYS} days", answer["growth"]
    )
    assert answer["growth"] <= 64
