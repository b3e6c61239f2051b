"""How calls grow with what is stored: wall time and consumed capacity on DynamoDB Local."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from domain.portfolio.entries import CounterKey, Entry, KnownSpan, counters_of, rows_of
from infra.contracts.contract_items import to_item
from infra.contracts.contract_store import ContractStore
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.portfolio.portfolio_items import CHANGES, counter_key, entry_item, row_item
from infra.portfolio.queries import PortfolioQueries
from tests.bench import history
from tests.bench.results import Bench, Plot, Ratio, Section
from tests.bench.tables import counted, create_table, store_all
from tests.engines import client_of, dynamodb_local

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEXT = """Wall time and capacity units of one call on DynamoDB Local, medians, against the number of stored contracts, or of events of
the contract. All should be flat: a page reads as many rows as it shows, and a decision one item. A page of the portfolio reads
from eight partitions and is compared from the size on that fills it; counts read months, which grow to a
fixed number and are compared by their units."""

_BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
_ON = date(2024, 3, 1)
_PAGE = 50
_FLAT = 1.5
_UNMEASURED, _ROUNDS = 10, 25


class Cost(NamedTuple):
    """What one call takes."""

    seconds: float
    units: float


Costs = dict[str, dict[int, Cost]]
Calls = dict[tuple[str, int], Callable[[], object]]
"""By name and size."""


def run(bench: Bench) -> Section:
    """Measure calls on tables of growing sizes."""
    contracts = (1_000, 4_000) if bench.short else (1, 1_000, 100_000)
    events = (100, 1_000) if bench.short else (100, 1_000, 10_000)
    with dynamodb_local() as endpoint:
        client = client_of(endpoint)
        calls: Calls = {}
        for size in contracts:
            bench.progress(f"storing {size:,} contracts")
            calls |= {(name, size): call for name, call in _with_contracts(client, size).items()}
        for size in events:
            bench.progress(f"storing a trail of {size:,} events")
            calls |= {(name, size): call for name, call in _with_trail(client, size).items()}
        bench.progress("calling")
        costs = _measure(calls, client)
    sizes = sorted({*contracts, *events})
    return Section(
        "How it grows",
        TEXT,
        ("Call", *(f"{size:,}" for size in sizes)),
        [_row(name, found, sizes) for name, found in costs.items()],
        [ratio for name, found in costs.items() for ratio in _ratios(name, found)],
        [
            Plot(
                "growth.svg",
                "Calls against what is stored",
                "seconds on DynamoDB Local",
                "contracts, or events of the contract",
                {
                    name: [(size, cost.seconds) for size, cost in found.items()]
                    for name, found in costs.items()
                },
            )
        ],
    )


def _row(name: str, found: Mapping[int, Cost], sizes: list[int]) -> list[str]:
    shown = {size: f"{cost.seconds * 1000:.1f} ms, {cost.units:g}" for size, cost in found.items()}
    return [name, *(shown.get(size, "") for size in sizes)]


def _ratios(name: str, found: Mapping[int, Cost]) -> list[Ratio]:
    """Compare the largest size with the smallest that fills a page; below it a call reads less."""
    full = [cost for size, cost in sorted(found.items()) if cost.units == found[max(found)].units]
    smallest, largest = full[0], full[-1]
    sizes = [size for size, cost in sorted(found.items()) if cost is smallest]
    compared = f"{max(found):,} / {sizes[0]:,}"
    if sizes[0] == max(found):  # no two sizes cost the same
        smallest = found[min(found)]
        return [Ratio(f"{name}: units, {max(found):,} / {min(found):,}", largest.units / smallest.units, 1.0)]
    return [
        Ratio(f"{name}: time, {compared}, with the same units", largest.seconds / smallest.seconds, _FLAT)
    ]


def _measure(calls: Calls, client: "DynamoDBClient") -> Costs:
    """Make calls alternately, after some that are not counted: the engine is a JVM, and slow at first."""
    seconds: dict[tuple[str, int], list[float]] = {key: [] for key in calls}
    for number in range(_UNMEASURED + _ROUNDS):
        for key, call in calls.items():
            begun = time.perf_counter()
            call()
            if number >= _UNMEASURED:
                seconds[key].append(time.perf_counter() - begun)
    costs: Costs = {}
    for (name, size), call in calls.items():
        with counted(client) as consumed:
            call()
        costs.setdefault(name, {})[size] = Cost(median(seconds[name, size]), consumed.units)
    return costs


def _with_contracts(client: "DynamoDBClient", size: int) -> dict[str, Callable[[], object]]:
    """Store contracts with a supply that runs, and their portfolio; return the calls."""
    table, portfolio = f"contracts-of-{size}", f"portfolio-of-{size}"
    create_table(client, "ContractsTable", table)
    create_table(client, "PortfolioTable", portfolio)
    made = [Contract.new(f"{number:06}", "id", _BEGIN, (Component.ENERGY_SUPPLY,)) for number in range(size)]
    store_all(client, table, [to_item(contract) for contract in made])
    _fill_portfolio(client, portfolio, made)
    contracts, timelines = ContractStore(client, table), TimelineStore(client, table, audited=True)
    queries = PortfolioQueries(client, portfolio)
    newer = _newer_events("000000")
    return {
        "show a contract": lambda: contracts.get("000000"),
        "apply an event": lambda: timelines.apply(*newer()),
        "a page of contracts": lambda: contracts.page(_PAGE, None),
        "portfolio: a page of what runs": lambda: queries.active([Component.ENERGY_SUPPLY], _ON, _PAGE, None),
        "portfolio: counts": lambda: queries.counts(_ON),
    }


def _with_trail(client: "DynamoDBClient", size: int) -> dict[str, Callable[[], object]]:
    table = f"trail-of-{size}"
    create_table(client, "ContractsTable", table)
    history.fill(client, table, size)
    trails, timelines = TrailStore(client, table), TimelineStore(client, table, audited=True)
    newer = _newer_events("1001")
    return {
        "an event of a contract with a trail": lambda: timelines.apply(*newer()),
        "a page of a trail": lambda: trails.page("1001", 1, _PAGE, None, {}),
    }


def _running(contract: Contract) -> Entry:
    """Return what the portfolio knows of a contract whose supply runs; the starts are spread over a year."""
    start = _BEGIN.date() + timedelta(days=int(contract.number) % 365)
    return Entry(contract.number, 1, {Component.ENERGY_SUPPLY: KnownSpan(start, None)})


def _newer_events(number: str) -> Callable[[], tuple[ComponentEvent, Reception]]:
    """Return what makes events of a contract, each newer than the one before."""
    made = iter(range(1, 1_000_000))

    def next_event() -> tuple[ComponentEvent, Reception]:
        at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=next(made))
        event = ComponentEvent(
            EventType.SUPPLY_ENERGY_START, number, at.date(), at, f"{at.timestamp():032.0f}"
        )
        return event, Reception(at, Source.API, "request")

    return next_event


def _fill_portfolio(client: "DynamoDBClient", table: str, contracts: list[Contract]) -> None:
    """Store the portfolio of contracts whose supply has started, as its own function would."""
    counters: dict[CounterKey, dict[str, int]] = {}
    items = []
    for contract in contracts:
        entry = _running(contract)
        items += [entry_item(entry), *(row_item(row) for row in rows_of(entry))]
        for key, counts in counters_of(entry).items():
            month = counters.setdefault(key, {CHANGES: 0})
            for name, count in (*counts.items(), (CHANGES, 1)):
                month[name] = month.get(name, 0) + count
    items += [
        counter_key(key) | {name: {"N": str(count)} for name, count in found.items()}
        for key, found in counters.items()
    ]
    store_all(client, table, items)
