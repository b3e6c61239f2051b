"""The portfolio rebuilt and compared, on DynamoDB Local: every difference is found and corrected."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.contracts.events import Component
from domain.portfolio import entries
from domain.portfolio.entries import CounterKey, Entry, KnownSpan, rows_of
from infra.contracts.contract_items import key_of
from infra.portfolio import check_counters, event_log
from infra.portfolio.event_log import EventLog
from infra.portfolio.follow_stream import entry_of
from infra.portfolio.portfolio_items import counter_key, entry_key, row_item, row_key
from infra.portfolio.portfolio_store import PortfolioStore
from infra.portfolio.rebuild import Rebuild
from tests.conftest import create_table
from tests.contract_histories import NOW, History, put_all
from tests.engines import client_of
from tests.portfolios import expected_table, table_of
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SUPPLY = Component.ENERGY_SUPPLY
STEPS = cases(40, 150)
ROUNDS = cases(3, 10)
ALL_SHARDS = entries.SHARDS


class World:
    """A table of contracts with some history, and a portfolio beside it."""

    def __init__(self, client: "DynamoDBClient", contracts: str, portfolio: str) -> None:
        self.history = History(client, contracts, Random(7), tuple(map(str, range(8))))
        self.client = client
        self.store = PortfolioStore(client, portfolio)
        self.log = EventLog(client, portfolio, days=30)

    def rebuild(self, *, repair: bool = True, **how: Any) -> Rebuild:
        return Rebuild(
            self.client,
            self.history.table,
            self.store,
            self.log,
            repair,
            sleep=lambda _: None,
            now=lambda: NOW,
            **how,
        )

    def differences(self, *, repair: bool) -> int:
        work = self.rebuild(repair=repair)
        list(work.run())
        return len(work.differences)

    def agrees(self) -> bool:
        return table_of(self.client, self.store.table) == expected_table(self.history.truth())


@contextmanager
def shards_of_each_component(number: int) -> Iterator[None]:
    """Divide the portfolio into fewer parts, each of which costs a rebuild several queries."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (entries, check_counters, event_log):
            patch.setattr(module, "SHARDS", number)
        yield


@pytest.fixture(autouse=True)
def _shards(request: pytest.FixtureRequest) -> Iterator[None]:
    with shards_of_each_component(getattr(request, "param", 2)):
        yield


@pytest.fixture
def world(engine_client: "DynamoDBClient", engine_table: str, engine_portfolio: str) -> World:
    """Contracts, and an empty portfolio."""
    world = World(engine_client, engine_table, engine_portfolio)
    for _ in range(STEPS):
        world.history.step()
    return world


@pytest.fixture(scope="module")
def filled(engine: str) -> tuple[list[Any], list[Any]]:
    """The items of contracts, and those of their portfolio."""
    client, names = client_of(engine), (f"contracts-{uuid4().hex}", f"portfolio-{uuid4().hex}")
    for logical_id, name in zip(("ContractsTable", "PortfolioTable"), names, strict=True):
        create_table(client, logical_id, name)
    world = World(client, *names)
    with shards_of_each_component(2):
        for _ in range(STEPS):
            world.history.step()
        list(world.rebuild().run())
        assert world.agrees()
    contracts, portfolio = (client.scan(TableName=name, ConsistentRead=True)["Items"] for name in names)
    return contracts, portfolio


@pytest.fixture
def equal_world(
    engine_client: "DynamoDBClient",
    engine_table: str,
    engine_portfolio: str,
    filled: tuple[list[Any], list[Any]],
) -> World:
    """Contracts, and their portfolio."""
    for table, items in zip((engine_table, engine_portfolio), filled, strict=True):
        put_all(engine_client, table, items)
    return World(engine_client, engine_table, engine_portfolio)


@pytest.mark.parametrize("_shards", [ALL_SHARDS], indirect=True, ids=[""])
def test_an_empty_portfolio_is_filled_and_both_agree(world: World) -> None:
    assert world.differences(repair=False) > 0
    assert not world.agrees()
    assert world.differences(repair=True) > 0
    assert world.agrees()
    assert world.differences(repair=False) == 0
    logged = world.log.page(NOW.date(), 200, None, {}).entries
    assert len(logged) > STEPS // 2  # one for each step that sends an event


def without_entry(world: World) -> None:
    world.client.delete_item(TableName=world.store.table, Key=entry_key(next(iter(world.history.truth()))))


def some_row(world: World) -> Any:
    return next(row for entry in world.history.truth().values() for row in rows_of(entry))


def without_row(world: World) -> None:
    world.client.delete_item(TableName=world.store.table, Key=row_key(some_row(world)))


def with_another_row(world: World) -> None:
    row = some_row(world)
    changed = row._replace(span=KnownSpan(row.span.start, date(2030, 1, 1)))
    world.client.put_item(TableName=world.store.table, Item=row_item(row) | {"end": row_item(changed)["end"]})


def with_a_stray_row(world: World) -> None:
    (row,) = rows_of(Entry("stray", 1, {SUPPLY: KnownSpan(date(2024, 1, 1), None)}))
    world.client.put_item(TableName=world.store.table, Item=row_item(row))


def with_an_unknown_contract(world: World) -> None:
    world.store.apply(Entry("nobody", 1, {SUPPLY: KnownSpan(date(2024, 1, 1), None)}))


def with_a_wrong_counter(world: World) -> None:
    update = world.store.counter_update(CounterKey(SUPPLY, 0, "2024-01"), {"s01": 3})
    world.client.update_item(**update)


def without_a_counter(world: World) -> None:
    row = some_row(world)
    key = CounterKey(row.partition.component, row.partition.shard, f"{row.span.start:%Y-%m}")
    world.client.delete_item(TableName=world.store.table, Key=counter_key(key))


def with_a_restored_contract(world: World) -> None:
    """The table of contracts was restored: what the portfolio knows is of a time that has not been."""
    number, entry = next((number, entry) for number, entry in world.history.truth().items() if entry.spans)
    world.store.apply(Entry(number, entry.version + 5, {}))


def without_a_logged_event(world: World) -> None:
    entry = world.log.page(NOW.date(), 1, None, {}).entries[0]
    pages = world.client.get_paginator("scan").paginate(TableName=world.store.table)
    (item,) = (
        item
        for page in pages
        for item in page["Items"]
        if item["pk"]["S"].startswith("LOG#") and item["key"]["S"] == entry.event.key
    )
    world.client.delete_item(TableName=world.store.table, Key={"pk": item["pk"], "sk": item["sk"]})


@pytest.mark.parametrize(
    "damage",
    [
        without_row,
        with_another_row,
        with_a_stray_row,
        with_an_unknown_contract,
        with_a_wrong_counter,
        without_a_counter,
        with_a_restored_contract,
        without_a_logged_event,
    ],
)
def test_damage_is_found_and_corrected(equal_world: World, damage: Callable[[World], None]) -> None:
    world = equal_world
    damage(world)
    assert world.differences(repair=False) > 0
    assert world.differences(repair=True) > 0
    assert world.differences(repair=False) == 0
    assert world.agrees()


def test_without_its_entry_a_contract_has_it_again_and_is_counted_once(equal_world: World) -> None:
    """The rows are overwritten, the counters were added to twice, and the comparison of these corrects that."""
    world = equal_world
    without_entry(world)
    assert world.differences(repair=True) > 0
    assert world.differences(repair=False) == 0
    assert world.agrees()


class StoppedError(Exception):
    """The rebuild was stopped."""


def test_an_interrupted_rebuild_continues_where_it_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans: list[Any] = []
    scan = world.client.scan

    def counted(**request: Any) -> Any:
        scans.append(request.get("ExclusiveStartKey"))
        if len(scans) == 3:
            raise StoppedError
        return scan(**request, Limit=STEPS // 4)

    monkeypatch.setattr(world.client, "scan", counted)
    with pytest.raises(StoppedError):
        list(world.rebuild(resume=True)._check_contracts())
    assert scans[0] is None
    list(world.rebuild(resume=True)._check_contracts())
    assert scans[3] == scans[2] is not None
    monkeypatch.undo()
    list(world.rebuild(resume=True).run())
    assert world.agrees()
    assert world.differences(repair=False) == 0


def test_while_contracts_change_a_rebuild_ends_as_they_are(world: World) -> None:
    """Each step of the rebuild is followed by changes, some of which come through the stream and some do not."""
    random = Random(3)
    for _ in range(ROUNDS):
        for _ in world.rebuild().run():
            before = len(world.history.records)
            for _ in range(5):
                world.history.step()
            for record in world.history.records[before:]:
                image = record["dynamodb"].get("NewImage")
                if image and random.random() < 0.5:
                    number = record["dynamodb"]["Keys"]["pk"]["S"].partition("#")[2]
                    world.store.apply(entry_of(number, image))
    list(world.rebuild().run())
    assert world.agrees()
    assert world.differences(repair=False) == 0


def test_a_contract_that_was_forgotten_is_removed(equal_world: World) -> None:
    world = equal_world
    number = next(number for number, entry in world.history.truth().items() if entry.spans)
    world.client.delete_item(TableName=world.history.table, Key=key_of(number))
    assert world.differences(repair=True) > 0
    assert world.store.get(number) is None
    assert world.agrees()
