"""Events of a contract with a history, through the whole app, against a classical service that folds all of them."""

import sqlite3
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.trails import Entry, Reception, Source
from domain.contracts.verdicts import ACCEPTED
from infra.contracts.contract_store import ContractStore
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_rows import put_of
from tests.bench import starts
from tests.bench.fresh import Start, run_once
from tests.bench.results import Bench, Plot, Ratio, Section
from tests.bench.tables import create_table, store_all
from tests.engines import client_of, dynamodb_local

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEXT = """`POST /event` through Mangum and FastAPI for a contract that already has events, each event newer than all before it. The
service runs on DynamoDB Local, whose answers it waits for; the peer (`tests/bench/peers/classical.py`) has SQLite in its own
process, as its defaults are and tuned: without threads, and with a log that a crash may lose the end of. CPU is that of the application's process, wall time includes the database. The service writes one
transaction whatever the history; the peer reads and folds the history."""

_BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
_SIZES = (1, 100, 1_000, 10_000)
_SHORT_SIZES = (1, 1_000)
_NUMBER = "1001"
_OURS, _PEER, _TUNED = "this service", "classical peer", "classical peer, tuned"
_WARM_UP = 5


def run(bench: Bench) -> Section:
    """Measure events for contracts of growing histories."""
    sizes = _SHORT_SIZES if bench.short else _SIZES
    cpu: dict[str, dict[int, float]] = {_OURS: {}, _PEER: {}, _TUNED: {}}
    wall: dict[str, dict[int, float]] = {name: {} for name in cpu}
    with dynamodb_local() as endpoint, tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            bench.progress(f"a contract with {size:,} events")
            prepared = {
                _OURS: (_ours(bench, endpoint, size), endpoint),
                _PEER: (_peer(bench, Path(folder, f"{size}.db"), size), "http://127.0.0.1:9"),
                _TUNED: (_tuned(_peer(bench, Path(folder, f"{size}-tuned.db"), size)), "http://127.0.0.1:9"),
            }
            for name, (start, address) in prepared.items():
                found = [run_once(replace(start, day=day), (address, None)) for day in (1, 2, 3)]
                cpu[name][size] = _typical(run.calls for run in found)
                wall[name][size] = _typical(run.waits for run in found)
    first, last = sizes[0], sizes[-1]
    return Section(
        "Events of contracts with a history",
        TEXT,
        (
            "Events of the contract",
            *(f"{name}, {what}" for name in cpu for what in ("events/s (wall)", "CPU of one")),
        ),
        [_row(size, cpu, wall) for size in sizes],
        [
            Ratio(
                "first event of a contract, CPU, against the classical peer",
                cpu[_OURS][first] / cpu[_PEER][first],
                1.0,
                guarded=True,
            ),
            Ratio(
                f"CPU of an event after {last:,} / after {first}", cpu[_OURS][last] / cpu[_OURS][first], 1.5
            ),
            Ratio(
                f"wall time of an event after {last:,} / after {first}",
                wall[_OURS][last] / wall[_OURS][first],
                1.5,
            ),
        ],
        [
            Plot(
                "history.svg",
                "One event of a contract with a history",
                "seconds of CPU in the application",
                "events that the contract has already",
                {name: list(found.items()) for name, found in cpu.items()},
            )
        ],
    )


def _row(size: int, cpu: Mapping[str, dict[int, float]], wall: Mapping[str, dict[int, float]]) -> list[str]:
    cells = [f"{size:,}"]
    for name in cpu:
        cells += [f"{1 / wall[name][size]:,.0f}", f"{cpu[name][size] * 1000:.2f} ms"]
    return cells


def _typical(calls: Iterable[list[float]]) -> float:
    return median(median(found[_WARM_UP:]) for found in calls)


def _ours(bench: Bench, endpoint: str, size: int) -> Start:
    """Store a contract with `size` events in a table of its own."""
    client, table = client_of(endpoint), f"contracts-{size}"
    create_table(client, "ContractsTable", table)
    fill(client, table, size)
    start = starts.functions(bench.artifacts)[0]
    environment = {**start.environment, "CONTRACTS_TABLE": table}
    return replace(start, environment=environment, count=_calls(size))


def fill(client: "DynamoDBClient", table: str, size: int) -> None:
    """Store a contract whose trail has `size` events: all but the last directly, as the service would have."""
    ContractStore(client, table).create(Contract.new(_NUMBER, "id", _BEGIN, tuple(Component)))
    rows = [_entry(number) for number in range(size - 1)]
    store_all(client, table, [put_of(entry, 1, "token")["Item"] for entry in rows])
    last = _entry(size)
    assert TimelineStore(client, table, audited=True).apply(last.event, last.reception).verdict.accepted


def _entry(number: int) -> Entry:
    at = _BEGIN + timedelta(minutes=number)
    event = ComponentEvent(EventType.SUPPLY_ENERGY_START, _NUMBER, at.date(), at, f"{number:032x}")
    return Entry(event, ACCEPTED, "", Reception(at, Source.API, "request"), written_at=at)


def _tuned(peer: Start) -> Start:
    return replace(
        peer, event=starts.request("/async/event"), environment={**peer.environment, "TUNED": "true"}
    )


def _peer(bench: Bench, path: Path, size: int) -> Start:
    """Store `size` events in a database of the peer's."""
    environment: dict[str, str] = {"DATABASE": str(path)}
    packages = Path(sysconfig.get_paths()["purelib"])
    start = Start(
        _PEER,
        "classical.handler",
        (bench.artifacts.peers, packages),
        starts.request(),
        environment=environment,
    )
    run_once(start, ("http://127.0.0.1:9", None))  # creates the tables, and stores an event
    rows: list[Any] = [
        (
            _NUMBER,
            "supply_energy_start",
            "2023-01-01",
            f"{_BEGIN + timedelta(minutes=number):%Y-%m-%d %H:%M:%S.000000}",
        )
        for number in range(size - 1)
    ]
    with sqlite3.connect(path) as database:
        database.executemany(
            "INSERT INTO events (contract_number, type, date, created_at) VALUES (?, ?, ?, ?)", rows
        )
    return replace(start, count=_calls(size))


def _calls(size: int) -> int:
    return _WARM_UP + (20 if size >= _SIZES[-1] else 60)
