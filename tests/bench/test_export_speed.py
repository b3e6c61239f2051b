"""The cost of an export, as ratios within one run on one engine.

Exports of a month by default; `make bench` runs exports of a whole year.
"""

import json
import os
import statistics
import subprocess
import sys
import time
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
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

DAYS = int(os.environ.get("BENCH_DAYS", "31"))
ITEM_DAYS = (
    7  # of the table with one item for each reading, which is slow to fill; its cost is compared per row
)
MINUTES_OF_A_DAY = 1440
RUNS = 3

pytestmark = [
    pytest.mark.xdist_group("bench"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads its peak memory from /proc"),
]


class Stage:
    """An emulated AWS that stores the readings of a meter in both shapes."""

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
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with emulator(tmp_path_factory.mktemp("cloud")) as cloud:
        stage = Stage(cloud.variables)
        stage.fill()
        yield stage


def cpu(*ways: Callable[[], object]) -> list[float]:
    """Return the median CPU seconds of this process for each of `ways`, which run alternately."""
    seconds: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()
    for _ in range(RUNS):
        for way, taken in zip(ways, seconds, strict=True):
            started = time.process_time()
            way()
            taken.append(time.process_time() - started)
    return [statistics.median(taken) for taken in seconds]


def report_ratio(record_property: Callable[[str, object], None], name: str, ratio: float) -> None:
    record_property(name, round(ratio, 3))
    sys.stderr.write(f"\n{name}: {ratio:.3f}\n")


def test_an_export_costs_at_most_eight_times_the_lower_limit(
    stage: Stage, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bodies, period = stage.bodies(DAYS), bench.days(DAYS)
    assert stage.exporter.run(bench.METERED, period) == DAYS * MINUTES_OF_A_DAY
    export, lower_limit = cpu(
        lambda: stage.exporter.run(bench.METERED, period),
        lambda: bench.decompress_and_write(bodies, tmp_path / "lower-limit.csv"),
    )
    report_ratio(record_property, f"export of {DAYS} days / decompress and write", export / lower_limit)
    assert export <= 8 * lower_limit


def test_an_export_costs_at_most_a_tenth_of_an_export_of_one_item_for_each_reading(
    stage: Stage, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    assert bench.one_item_each(stage.dynamodb, tmp_path / "items.csv") == ITEM_DAYS * MINUTES_OF_A_DAY
    export, items = cpu(
        lambda: stage.exporter.run(bench.METERED, bench.days(DAYS)),
        lambda: bench.one_item_each(stage.dynamodb, tmp_path / "items.csv"),
    )
    ratio = (export / DAYS) / (items / ITEM_DAYS)
    report_ratio(record_property, "row of an export / row of one item each", ratio)
    assert ratio <= 0.1


def test_an_export_of_simulated_readings_costs_at_most_three_times_csv_writer(
    stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    period = bench.days(DAYS)
    rows = [line.decode().split(",") for line in lines_of(bench.SIMULATED, period)]
    export, written = cpu(
        lambda: stage.exporter.run(bench.SIMULATED, period),
        lambda: bench.write_csv(rows),
    )
    report_ratio(record_property, f"simulated: {DAYS} days / csv.writer over prebuilt rows", export / written)
    assert export <= 3 * written


@pytest.mark.parametrize("meter_id", [bench.METERED, bench.SIMULATED])
def test_the_cost_grows_linearly_with_the_range(
    stage: Stage, meter_id: str, record_property: Callable[[str, object], None]
) -> None:
    half, whole = cpu(
        lambda: stage.exporter.run(meter_id, bench.days(DAYS // 2)),
        lambda: stage.exporter.run(meter_id, bench.days(DAYS)),
    )
    report_ratio(record_property, f"{meter_id}: {DAYS} days / half of them", whole / half)
    assert whole <= 2.4 * half


@pytest.mark.parametrize("meter_id", [bench.METERED, bench.SIMULATED])
def test_the_peak_memory_grows_by_at_most_64_mib_for_every_range(
    stage: Stage, meter_id: str, record_property: Callable[[str, object], None]
) -> None:
    command = [sys.executable, "-m", "tests.bench.exports", meter_id, str(DAYS)]
    environment = {**os.environ, **stage.variables}
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["rows"] == DAYS * MINUTES_OF_A_DAY
    report_ratio(
        record_property, f"{meter_id}: growth of the peak memory in MiB over {DAYS} days", answer["growth"]
    )
    assert answer["growth"] <= 64
