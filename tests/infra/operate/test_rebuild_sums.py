"""`make rebuild-sums`: hours from before sums were stored."""

import gzip
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from infra import aws
from infra.commands.command_error import CommandError
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from infra.operate.rebuild_sums import rebuild
from tests.conftest import create_table
from tests.readings import reading

START = datetime(2024, 1, 1, tzinfo=UTC)
ALL = Interval(START, START + timedelta(hours=5))


@pytest.fixture
def stores(cloud: None) -> tuple[MeterStore, ReadingStore]:
    table = uuid4().hex
    create_table(aws.dynamodb(), "ReadingsTable", table)
    return MeterStore(aws.dynamodb(), table), ReadingStore(aws.dynamodb(), table)


def store_former_hours(meters: MeterStore, meter_id: str, count: int) -> Meter:
    """Store hours as they were before corrections kept what they replace: gzip, a count, no facts."""
    meter = Meter(meter_id, MeterKind.METERED, START)
    meters.register(meter)
    for lines in simulate(meter_id, Interval(START, START + timedelta(hours=count))):
        meters.client.put_item(
            TableName=meters.table,
            Item={
                "pk": {"S": f"METER#{meter_id}"},
                "sk": {"S": f"HOUR#{lines[:13].decode()}"},
                "body": {"B": gzip.compress(lines)},
                "count": {"N": "60"},
                "version": {"N": "7"},
            },
        )
    return meter


def test_former_hours_are_answered_right_before_and_cheaply_after(
    stores: tuple[MeterStore, ReadingStore],
) -> None:
    meters, readings = stores
    meter = store_former_hours(meters, "old", 3)
    readings.store("old", [reading(START + timedelta(hours=3, seconds=1), "1")])
    lines = b"".join(readings.lines(meter, ALL))
    before, present = list(readings.sums(meter, ALL)), readings.presence(meter, ALL)
    assert list(rebuild(meters, readings, ["old"])) == ["meter old: 3 hours rebuilt"]
    after = list(readings.sums(meter, ALL))
    assert [(hour.hour, hour.quarters) for hour in after] == [(hour.hour, hour.quarters) for hour in before]
    assert all(one.cost < other.cost for one, other in zip(after[:3], before[:3], strict=True))
    assert sorted(readings.presence(meter, ALL)) == sorted(present)
    assert [hour.minutes.bit_count() for hour in sorted(present)] == [60, 60, 60, 0]
    assert b"".join(readings.lines(meter, ALL)) == lines
    assert list(rebuild(meters, readings, ["old"])) == ["meter old: 0 hours rebuilt"]


def test_all_meters_are_rebuilt_where_none_is_named(stores: tuple[MeterStore, ReadingStore]) -> None:
    meters, readings = stores
    store_former_hours(meters, "a", 1)
    store_former_hours(meters, "b", 2)
    assert list(rebuild(meters, readings, [])) == ["meter a: 1 hours rebuilt", "meter b: 2 hours rebuilt"]


def test_an_unknown_meter_is_named_when_the_others_are_done(stores: tuple[MeterStore, ReadingStore]) -> None:
    meters, readings = stores
    store_former_hours(meters, "b", 1)
    steps = rebuild(meters, readings, ["nobody", "b"])
    assert next(steps) == "meter b: 1 hours rebuilt"
    with pytest.raises(CommandError, match="no such meters: nobody"):
        next(steps)
