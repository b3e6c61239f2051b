"""What each operation costs in calls, units and bytes, counted on DynamoDB Local, and a million of it in dollars."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from domain.export_changes import claim
from domain.exports import new_job
from domain.meters.csv_format import read_line
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from infra.contracts.contract_store import ContractStore
from infra.contracts.timeline_store import TimelineStore
from infra.exports.job_store import ExportStore
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from tests.bench.results import Bench, Ratio, Section
from tests.bench.tables import Consumed, counted, create_table
from tests.engines import client_of, dynamodb_local

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEXT = """Calls, capacity units and bytes sent to DynamoDB, counted by its hooks. DynamoDB Local does not count what a refused condition
costs: on AWS a refused event pays up to 6 units more. The price is that of the units alone, at
{write} dollars for a million write units and {read} for a million read units (on demand, eu-central-1);
`docs/operations.md` adds the other services."""

_WRITE_PRICE, _READ_PRICE = 0.7625, 0.1525
_AT = datetime(2024, 1, 1, tzinfo=UTC)
_NUMBER, _METER = "1001", "meter-1"
_HOURS = 24
_MOST = {"event, accepted": 6.0, "event, refused": 2.0, "an hour of minutes, sent at once": 2.0}
"""Write units, as docs/operations.md calculates with them."""


class _Operation(NamedTuple):
    name: str
    call: Callable[[], object]


def run(bench: Bench) -> Section:
    """Count what one of each operation consumes."""
    bench.progress("counting calls")
    found: dict[str, Consumed] = {}
    with dynamodb_local() as endpoint:
        client = client_of(endpoint)
        for operation in _operations(client):
            with counted(client) as consumed:
                operation.call()
            found[operation.name] = consumed
    return Section(
        "Calls, units and bytes",
        TEXT.format(write=_WRITE_PRICE, read=_READ_PRICE),
        ("Operation", "calls", "write units", "read units", "bytes sent", "a million, dollars"),
        [_row(name, consumed) for name, consumed in found.items()],
        [
            Ratio(f"write units of {name}", found[name].write_units / most, 1.0, guarded=True)
            for name, most in _MOST.items()
        ],
    )


def _row(name: str, consumed: Consumed) -> list[str]:
    price = consumed.write_units * _WRITE_PRICE + consumed.read_units * _READ_PRICE
    calls = ", ".join(f"{count} {call}" for call, count in sorted(consumed.calls.items()))
    units = f"{consumed.write_units:g}", f"{consumed.read_units:g}"
    return [name, calls, *units, f"{consumed.sent_bytes:,}", f"{price:,.2f}"]


def _operations(client: "DynamoDBClient") -> list[_Operation]:
    """Create the tables and what the operations need; return the operations in the order of their calls."""
    tables = {"ContractsTable": "contracts", "ReadingsTable": "readings"}
    for logical_id, name in (tables | {"ExportJobsTable": "export-jobs"}).items():
        create_table(client, logical_id, name)
    ContractStore(client, "contracts").create(Contract.new(_NUMBER, "id", _AT, tuple(Component)))
    MeterStore(client, "readings").register(Meter(_METER, MeterKind.METERED, _AT))
    timelines, readings = TimelineStore(client, "contracts", audited=True), ReadingStore(client, "readings")
    jobs = ExportStore(client, "export-jobs", lambda: uuid4().hex)
    period = Interval(_AT, _AT + timedelta(hours=_HOURS))
    hours = [list(map(read_line, block.splitlines())) for block in simulate(_METER, period)]
    meter = Meter(_METER, MeterKind.METERED, _AT)
    job = new_job(uuid4().hex, _METER, period, "bench", _AT)

    def store_day() -> None:
        for hour in hours[1:-1]:
            readings.store(_METER, hour)
        readings.store(_METER, hours[-1][:-1])

    def create_and_claim() -> None:
        jobs.create(job)
        jobs.change(job.id, lambda stored: claim(stored, _AT))

    return [
        _Operation("event, accepted", lambda: timelines.apply(_event(2), _reception())),
        _Operation("event, refused", lambda: timelines.apply(_event(1), _reception())),
        _Operation("an hour of minutes, sent at once", lambda: readings.store(_METER, hours[0])),
        _Operation(f"{_HOURS - 1} hours of minutes, an hour at a time", store_day),
        _Operation("one reading into an hour that is stored", lambda: readings.store(_METER, hours[-1][-1:])),
        _Operation("export of a day: its job", create_and_claim),
        _Operation("export of a day: its readings", lambda: list(readings.lines(meter, period))),
    ]


def _event(day: int) -> ComponentEvent:
    at = _AT + timedelta(days=day)
    return ComponentEvent(EventType.SUPPLY_ENERGY_START, _NUMBER, at.date(), at, uuid4().hex)


def _reception() -> Reception:
    return Reception(_AT, Source.API, "request")
