"""Stored sums while uploads race: they are those of the readings that are stored, of all uploads together."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from domain.meters.completeness import minutes_of
from domain.meters.readings import Interval, Meter, MeterKind, Reading
from domain.meters.sums import sum_quarters
from infra.meters.hour_writes import Counts
from infra.meters.reading_store import ReadingStore
from tests.conftest import create_table
from tests.readings import hour_begin, reading

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

START = datetime(2024, 3, 31, tzinfo=UTC)
HOURS = 3
UPLOADS = 16
WHOLE = Interval(START, START + timedelta(hours=HOURS))
METER = Meter("m", MeterKind.METERED, START)


@pytest.fixture
def store(engine_client: "DynamoDBClient") -> Iterator[ReadingStore]:
    table = f"readings-{uuid4().hex}"
    create_table(engine_client, "ReadingsTable", table)
    yield ReadingStore(engine_client, table)
    engine_client.delete_table(TableName=table)


def upload(number: int) -> list[Reading]:
    """Return readings of each minute: every sixteenth of the second shared by all, the others of its own."""
    return [
        reading(
            START + timedelta(minutes=minute, seconds=0 if minute % UPLOADS == number else number + 1),
            f"0.{number + 1:02}{minute:04}",
            created_at=1,
        )
        for minute in range(60 * HOURS)
    ]


def test_after_sixteen_uploads_to_the_same_hours_the_sums_are_those_of_the_union(store: ReadingStore) -> None:
    barrier = Barrier(UPLOADS)

    def send(number: int) -> Counts:
        barrier.wait()
        return store.store("m", upload(number))

    with ThreadPoolExecutor(UPLOADS) as pool:
        counts = list(pool.map(send, range(UPLOADS)))
    union = {one.timestamp: one for number in range(UPLOADS) for one in upload(number)}
    assert len(union) == UPLOADS * 60 * HOURS
    assert sum(count.stored for count in counts) == len(union)
    hours = list(store.sums(METER, WHOLE))
    total = sum((sums.totals[0] for hour in hours for sums in hour.quarters.values()), Decimal(0))
    assert total == sum(Decimal(one.energy_kwh) for one in union.values())
    assert sum(sums.readings for hour in hours for sums in hour.quarters.values()) == len(union)
    assert_stored_sums_are_those_of_the_lines(store)


def test_a_correction_and_a_deletion_change_the_sums_in_the_same_write(store: ReadingStore) -> None:
    store.store("m", upload(0))
    store.store("m", [reading(START + timedelta(minutes=16), "7", created_at=2)])
    assert_stored_sums_are_those_of_the_lines(store)
    store.delete("m", Interval(START + timedelta(minutes=20), START + timedelta(minutes=70)))
    assert_stored_sums_are_those_of_the_lines(store)


def assert_stored_sums_are_those_of_the_lines(store: ReadingStore) -> None:
    lines = {hour_begin(part): part for part in store.lines(METER, WHOLE)}
    assert {hour.hour: dict(hour.quarters) for hour in store.sums(METER, WHOLE)} == {
        begin: sum_quarters(part) for begin, part in lines.items()
    }
    assert {hour.hour: hour.minutes for hour in store.presence(METER, WHOLE) if hour.readings} == {
        begin: minutes_of(part) for begin, part in lines.items()
    }
