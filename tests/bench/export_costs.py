"""Exports of a day, a month and a year of stored readings, against one item for each reading."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from domain.instants import to_micros
from domain.meters.readings import Meter, MeterKind, hour_of
from domain.meters.simulation import simulate
from domain.meters.sums import sum_quarters
from domain.meters.versions import HourBlock, Origin
from infra.build.packaging import ROOT
from infra.meters.meter_store import MeterStore
from infra.meters.reading_items import hour_item
from tests.bench import exports as bench
from tests.bench.results import Bench, Plot, Ratio, Section
from tests.bench.stub import stub_of_aws
from tests.bench.tables import create_table, store_all
from tests.engines import client_of, dynamodb_local

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEXT = """CPU of the export worker, from its claim of the job to its completion, for readings of every minute: the hours come from
DynamoDB Local, the file goes to an S3 that answers at once. The peer stores one item for each reading, reads them with
boto3's client and writes them with `csv.writer`; it is measured for a week and compared by rows. Memory is the growth of the
process's peak while it runs the longest export."""

_PEER_DAYS = 7
_MINUTES_OF_A_DAY = 1440
_HOUR = timedelta(hours=1)
_MEMORY_MIB = 64.0


def run(bench_: Bench) -> Section:
    """Measure exports of growing lengths."""
    days = [1, 31] if bench_.short else [1, 31, 366]
    with dynamodb_local() as endpoint, stub_of_aws() as (address, _):
        bench_.progress("storing readings")
        fill(client_of(endpoint), days[-1])
        order = {"dynamodb": endpoint, "s3": address, "rounds": 3, "peer": True, "days": days}
        bench_.progress("exporting")
        found = _probe(order)
        alone = {
            count: _probe(order | {"days": [count], "rounds": 1, "peer": False})["growth"] for count in days
        }
    cpu = {count: median(found["cpu"][str(count)]) for count in days}
    peer = median(found["cpu"]["peer"]) / found["rows"]["peer"]
    rows = {count: found["rows"][str(count)] for count in days}
    assert rows == {count: count * _MINUTES_OF_A_DAY for count in days}
    assert found["rows"]["peer"] == _PEER_DAYS * _MINUTES_OF_A_DAY
    longest = days[-1]
    return Section(
        "Exports",
        TEXT,
        ("Days", "rows", "CPU", "CPU of one item for each reading", "ratio", "growth of memory"),
        [
            [
                str(count),
                f"{rows[count]:,}",
                f"{cpu[count]:.3f} s",
                f"{peer * rows[count]:.2f} s",
                f"{cpu[count] / (peer * rows[count]):.3f}",
                f"{alone[count]:.0f} MiB",
            ]
            for count in days
        ],
        [
            Ratio(
                "export, row, against one item for each reading",
                cpu[longest] / (peer * rows[longest]),
                0.06,
                guarded=True,
            ),
            Ratio("growth of memory in MiB, longest export", alone[longest], _MEMORY_MIB),
        ],
        [
            Plot(
                "exports.svg",
                "Export of stored readings",
                "seconds of CPU",
                "days",
                {
                    "hour blocks": list(cpu.items()),
                    "one item for each reading": [(count, peer * rows[count]) for count in days],
                },
            )
        ],
    )


def _probe(order: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.export_probe", json.dumps(order)],
        cwd=ROOT,
        env={
            **os.environ,
            "POWERTOOLS_LOG_LEVEL": "ERROR",
            "STAGE": "test",
            "CONTRACTS_TABLE": "contracts",
            "POWERTOOLS_METRICS_NAMESPACE": "EnergyOperations",
            "POWERTOOLS_SERVICE_NAME": "energy-operations",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def fill(client: "DynamoDBClient", days: int) -> None:
    """Store readings of every minute, an hour to an item; and those of a week with an item for each."""
    create_table(client, "ReadingsTable", bench.READINGS)
    create_table(client, "ExportJobsTable", bench.JOBS)
    create_table(client, "ContractsTable", bench.ITEMS)
    MeterStore(client, bench.READINGS).register(Meter(bench.METERED, MeterKind.METERED, bench.START))
    store_all(client, bench.READINGS, [_hour(lines) for lines in simulate(bench.METERED, bench.days(days))])
    lines = b"".join(simulate(bench.METERED, bench.days(_PEER_DAYS))).decode().splitlines()
    store_all(client, bench.ITEMS, [_single(line) for line in lines])


def _hour(lines: bytes) -> dict[str, Any]:
    at = bench.START.fromisoformat(lines[:20].decode())
    until = to_micros(at + _HOUR)
    origin = Origin(until, until, until)
    block = HourBlock(lines, (origin,), sums=sum_quarters(lines), changed_at=until)
    return {"pk": {"S": f"METER#{bench.METERED}"}, "sk": {"S": f"HOUR#{hour_of(at)}"}} | hour_item(block, 1)


def _single(line: str) -> dict[str, Any]:
    at, meter_id, *values = line.split(",")
    names = ("energy_kwh", "power_kw", "voltage_v", "current_a")
    item: dict[str, Any] = {"pk": {"S": meter_id}, "sk": {"S": at}}
    return item | {name: {"N": value} for name, value in zip(names, values, strict=True)}
