"""Settings of meters: what is sent again, or by several, changes nothing that is known and not named."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from domain.meters.readings import Meter, MeterKind
from infra.meters.meter_store import MeterStore
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def meters(engine_client: "DynamoDBClient") -> Iterator[MeterStore]:
    table = f"meters-{uuid4().hex}"
    create_table(engine_client, "ReadingsTable", table)
    yield MeterStore(engine_client, table)
    engine_client.delete_table(TableName=table)


def test_a_change_that_is_sent_twice_is_one_and_keeps_when_the_meter_was_registered(
    meters: MeterStore,
) -> None:
    first = meters.change("m", {"interval_seconds": 900, "timezone": None}, NOW)
    assert meters.change("m", {"interval_seconds": 900, "timezone": None}, LATER) == first
    assert meters.get("m") == first == Meter("m", MeterKind.METERED, NOW, 900, None)


def test_a_change_leaves_the_kind_of_a_meter_and_what_it_does_not_name(meters: MeterStore) -> None:
    meters.register(Meter("123", MeterKind.SIMULATED, NOW))
    changed = meters.change("123", {"timezone": "Europe/Berlin"}, LATER)
    assert changed == Meter("123", MeterKind.SIMULATED, NOW, 60, "Europe/Berlin")


def test_a_supplement_sets_only_what_is_not_known(meters: MeterStore) -> None:
    meters.change("m", {"timezone": "Europe/Berlin"}, NOW)
    meters.supplement("m", {"timezone": "UTC", "interval_seconds": 60}, LATER)
    assert meters.get("m") == Meter("m", MeterKind.METERED, NOW, 60, "Europe/Berlin")


def test_registering_a_known_meter_keeps_its_settings(meters: MeterStore) -> None:
    known = meters.change("m", {"interval_seconds": 300}, NOW)
    meters.register(Meter("m", MeterKind.METERED, LATER))
    assert meters.get("m") == known
