"""A large portfolio: random questions are answered as by brute force, and what the answers cost does not grow with it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from domain.contracts.events import Component
from domain.portfolio.entries import CounterKey, Entry, KnownSpan, counters_of, rows_of
from infra.portfolio.portfolio_items import CHANGES, counter_key, entry_item, row_item
from infra.portfolio.portfolio_store import PortfolioStore
from infra.portfolio.queries import Kind, PortfolioQueries
from tests import portfolios
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONTRACTS = cases(200, 2_000, 100_000)
QUESTIONS = cases(12, 60, 1_000)
THROUGH_THE_STORE = cases(40, 500, 2_000)
TODAY = date(2024, 3, 1)


def fill(client: "DynamoDBClient", table: str, entries: list[Entry]) -> None:
    """Store entries as `PortfolioStore.apply` leaves them, many at a time."""
    counters: dict[CounterKey, dict[str, int]] = {}
    for entry in entries:
        for key, counted in counters_of(entry).items():
            month = counters.setdefault(key, {CHANGES: 0})
            for name, count in (*counted.items(), (CHANGES, 1)):
                month[name] = month.get(name, 0) + count
    items = [entry_item(entry) for entry in entries]
    items += [row_item(row) for entry in entries for row in rows_of(entry)]
    items += [
        counter_key(key) | {name: {"N": str(count)} for name, count in counted.items()}
        for key, counted in counters.items()
    ]

    def put(first: int) -> None:
        wanted: Any = {table: [{"PutRequest": {"Item": item}} for item in items[first : first + 25]]}
        while wanted:
            wanted = client.batch_write_item(RequestItems=wanted).get("UnprocessedItems")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(0, len(items), 25)))


@contextmanager
def read_units(client: "DynamoDBClient") -> Iterator[list[float]]:
    """Add up the read units of all queries."""
    units = [0.0]

    def ask(params: dict[str, Any], **_: Any) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def note(parsed: dict[str, Any], **_: Any) -> None:
        units[0] += parsed["ConsumedCapacity"]["CapacityUnits"]

    events = client.meta.events
    events.register("provide-client-params.dynamodb.Query", ask)
    events.register("after-call.dynamodb.Query", note)
    yield units
    events.unregister("provide-client-params.dynamodb.Query", ask)
    events.unregister("after-call.dynamodb.Query", note)


def tell_costs(queries: PortfolioQueries) -> dict[str, float]:
    """Print what questions about one day cost, in read units and seconds."""
    costs: dict[str, float] = {}
    month = (TODAY, TODAY + timedelta(days=31))
    asked: dict[str, Callable[[], object]] = {
        "active, one component, 50": lambda: queries.active([Component.ENERGY_SUPPLY], TODAY, 50, None),
        "active, all, 200": lambda: queries.active(list(Component), TODAY, 200, None),
        "counts": lambda: queries.counts(TODAY),
        "changes of a month, 50": lambda: queries.changes(list(Component), list(Kind), month, 50, None),
        "starts of one component, 50": lambda: queries.changes(
            [Component.ENERGY_SUPPLY], [Kind.START], month, 50, None
        ),
    }
    for name, question in asked.items():
        with read_units(queries.client) as units:
            begun = time.perf_counter()
            question()
            seconds = time.perf_counter() - begun
        costs[name] = units[0]
        print(f"  {name}: {units[0]:.1f} read units, {seconds:.3f} s")
    return costs


@pytest.mark.parametrize("size", [cases(100, 1_000), CONTRACTS])
def test_random_questions_are_answered_as_by_brute_force(
    engine_client: "DynamoDBClient", engine_portfolio: str, size: int
) -> None:
    random = Random(size)
    entries = [portfolios.random_entry(random, f"c-{number}") for number in range(size)]
    begun = time.perf_counter()
    fill(engine_client, engine_portfolio, entries)
    store = PortfolioStore(engine_client, engine_portfolio)
    for number in random.sample(range(size), min(size, THROUGH_THE_STORE) // 4):
        entries[number] = portfolios.random_entry(random, f"c-{number}", 2)
        assert store.apply(entries[number])
    print(f"\n{size:,} contracts stored in {time.perf_counter() - begun:.0f} s")
    found = portfolios.spans(entries)
    queries = PortfolioQueries(engine_client, engine_portfolio)
    # Pages of 200 would make a whole answer of a large portfolio take a minute.
    limits = (200,) if size <= 2_000 else (1_000, 20_000)
    for _ in range(QUESTIONS):
        portfolios.ask(queries, found, random, limits)
    print(f"{QUESTIONS} questions, 0 differences; {time.perf_counter() - begun:.0f} s")
    costs = tell_costs(queries)
    assert costs["counts"] < 300
    assert costs["active, one component, 50"] < 40
    assert costs["changes of a month, 50"] < 150


def test_a_contract_costs_its_entry_its_row_and_its_counter(
    engine_client: "DynamoDBClient", engine_portfolio: str
) -> None:
    """Write units as docs/operations.md reckons with them: two for each item of a transaction, one for a put alone.

    DynamoDB Local reports the units of one item for a whole transaction, so the items are counted.
    """
    store = PortfolioStore(engine_client, engine_portfolio)
    units = [0]

    def note(params: dict[str, Any], **_: Any) -> None:
        units[0] += 2 * len(params["TransactItems"]) if "TransactItems" in params else 1

    for operation in ("PutItem", "TransactWriteItems"):
        engine_client.meta.events.register(f"provide-client-params.dynamodb.{operation}", note)
    supply = Component.ENERGY_SUPPLY
    start = KnownSpan(TODAY, None)
    steps = [
        (Entry("1", 1), 2),
        (Entry("1", 2, {supply: start}), 6),
        (Entry("1", 3, {supply: start}), 1),
        (Entry("1", 4, {supply: start._replace(end=date(2025, 1, 1))}), 10),
    ]
    for entry, expected in steps:
        units[0] = 0
        store.apply(entry)
        assert units[0] == expected
