"""What a write costs in units of DynamoDB's capacity, as in the cost tables of docs/operations.md."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from domain.contracts.verdicts import Code
from domain.meters.csv_format import read_line
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from infra.contracts.change_components import change_components
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.replay import replay
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.contracts.void_event import Target, void_event
from infra.meters.reading_store import ReadingStore
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2024, 1, 1, tzinfo=UTC)
RECEPTION = Reception(NOW, Source.BUS, "request")


@pytest.fixture
def units(engine_client: "DynamoDBClient") -> Iterator[Callable[[], float]]:
    """Return what counts the units that were consumed since it was asked last."""
    taken: list[float] = []

    def ask(params: dict[str, Any], model: Any, **_: Any) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed: dict[str, Any], **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        taken.extend(one["CapacityUnits"] for one in (consumed if isinstance(consumed, list) else [consumed]))

    def since() -> float:
        total = sum(taken)
        taken.clear()
        return total

    events = engine_client.meta.events
    events.register("before-parameter-build.dynamodb", ask)
    events.register("after-call.dynamodb", note)
    yield since
    events.unregister("before-parameter-build.dynamodb", ask)
    events.unregister("after-call.dynamodb", note)


def start(day: int) -> ComponentEvent:
    at = NOW + timedelta(days=day)
    return ComponentEvent(EventType("supply_energy_start"), "1001", date(2024, 1, 1), at, key=uuid4().hex)


@pytest.mark.parametrize(("audited", "accepted", "refused"), [(True, 6, 2), (False, 1, 0)])
def test_an_event_costs_what_the_documentation_says(
    engine_client: "DynamoDBClient",
    engine_table: str,
    units: Callable[[], float],
    audited: bool,
    accepted: int,
    refused: int,
) -> None:
    """DynamoDB Local leaves out what a refused condition costs: on AWS as much as an accepted one."""
    ContractStore(engine_client, engine_table).create(
        Contract.new("1001", uuid4().hex, NOW, tuple(Component))
    )
    units()
    timelines = TimelineStore(engine_client, engine_table, audited=audited)
    for day in range(1, 4):
        assert timelines.apply(start(day), RECEPTION).verdict.code is Code.ACCEPTED
        assert units() == accepted
    assert timelines.apply(start(0), RECEPTION).verdict.code is Code.STALE_START
    assert units() == refused


def test_a_correction_costs_what_the_documentation_says(
    engine_client: "DynamoDBClient", engine_table: str, units: Callable[[], float]
) -> None:
    """With the reads that it makes: 1 for the contract and, but for a patch, 1 for this short trail."""
    contracts, trails = ContractStore(engine_client, engine_table), TrailStore(engine_client, engine_table)
    names = (Component.ENERGY_SUPPLY,)
    contract = contracts.create(Contract.new("1001", uuid4().hex, NOW, names, stored_at=NOW))
    timelines = TimelineStore(engine_client, engine_table, audited=True)
    timelines.apply(replace(start(2), type=EventType("supply_energy_end")), RECEPTION)
    timelines.apply(start(1), RECEPTION)
    target = Target(trails.entries(contract)[0].key, "reason")
    by = Correcting(RECEPTION, utc_now, lambda: uuid4().hex)
    taken = []
    for correct in (
        lambda: replay(contracts, trails, "1001", by, dry_run=False),
        lambda: void_event(contracts, trails, "1001", target, by, dry_run=False),
        lambda: change_components(contracts, "1001", tuple(Component), by, audited=True),
    ):
        units()
        correct()
        taken.append(units())
    assert taken == [8, 8, 5]


def test_a_day_of_minutes_is_read_for_five_units(
    engine_client: "DynamoDBClient", units: Callable[[], float]
) -> None:
    table = f"readings-{uuid4().hex}"
    create_table(engine_client, "ReadingsTable", table)
    day = Interval(NOW, NOW + timedelta(days=1))
    store = ReadingStore(engine_client, table)
    store.store("m", (read_line(line) for block in simulate("m", day) for line in block.splitlines()))
    units()
    rows = b"".join(store.lines(Meter("m", MeterKind.METERED, NOW), day)).splitlines()
    assert len(rows) == 24 * 60
    assert 4 <= units() <= 5


def test_a_correction_of_readings_costs_what_the_documentation_says(engine_client: "DynamoDBClient") -> None:
    table = f"readings-{uuid4().hex}"
    create_table(engine_client, "ReadingsTable", table)
    store = ReadingStore(engine_client, table)
    hour = Interval(NOW, NOW + timedelta(hours=1))
    readings = [read_line(line, 1) for block in simulate("m", hour) for line in block.splitlines()]
    assert write_units(engine_client, lambda: store.store("m", readings)) == [2]
    assert write_units(engine_client, lambda: store.store("m", readings)) == []
    one = readings[0]._replace(energy_kwh="9", created_at=2)
    assert write_units(engine_client, lambda: store.store("m", [one])) == [2, 2]
    assert write_units(engine_client, lambda: store.store("m", [one._replace(created_at=3)])) == [2]
    every = [reading._replace(energy_kwh="8", created_at=4) for reading in readings]
    assert write_units(engine_client, lambda: store.store("m", every)) == [2, 2]


def write_units(client: "DynamoDBClient", act: Callable[[], object]) -> list[int]:
    """Return the write units of each item that the transactions of `act` put: two for each begun KB."""
    taken: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        items = [write["Put"]["Item"] for write in params["TransactItems"]]
        taken.extend(2 * -(-_size_of(item) // 1024) for item in items)

    client.meta.events.register_first("provide-client-params.dynamodb.TransactWriteItems", note)
    act()
    client.meta.events.unregister("provide-client-params.dynamodb.TransactWriteItems", note)
    return taken


def _size_of(item: dict[str, dict[str, Any]]) -> int:
    """Return the bytes of an item as DynamoDB counts them."""
    values = [(kind, value) for attribute in item.values() for kind, value in attribute.items()]
    return sum(map(len, item)) + sum(
        len(value) // 2 + 2 if kind == "N" else len(value) for kind, value in values
    )
