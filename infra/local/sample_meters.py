"""The sample meters of a local run: a simulated meter, and a meter with a week of stored readings."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from domain.instants import to_micros
from domain.meters.csv_format import read_line
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SIMULATED = "123"
METERED = "sample-1"
WEEK = Interval(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC))


def seed(client: "DynamoDBClient", outputs: Mapping[str, str]) -> None:
    """Store the sample meters in the table that a stack's `outputs` name, unless they are there already."""
    table = outputs["readings_table_name"]
    meters = MeterStore(client, table)
    meters.register(Meter(SIMULATED, MeterKind.SIMULATED, created_at=WEEK.start))
    if meters.get(METERED) is None:
        lines = (line for block in simulate(METERED, WEEK) for line in block.splitlines())
        made_at = to_micros(WEEK.end)
        ReadingStore(client, table).store(METERED, [read_line(line, made_at) for line in lines])
        # Registered last, so that the next start repeats an interrupted one.
        meters.register(Meter(METERED, MeterKind.METERED, created_at=WEEK.start))
