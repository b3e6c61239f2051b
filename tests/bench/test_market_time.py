"""What summaries by local period and completeness cost, of a meter of seconds and one of minutes, page by page."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.instants import to_micros
from domain.meters.completeness import completeness
from domain.meters.local_periods import Resolution, days_between
from domain.meters.readings import Interval, Meter, MeterKind, hour_of
from domain.meters.summaries import Position, Summary, summarise
from domain.meters.sums import sum_quarters
from domain.meters.time_zones import zone
from domain.meters.versions import HourBlock, Origin
from infra.meters.reading_items import hour_item, size_of, to_facts
from infra.meters.reading_store import ReadingStore
from infra.meters.summary_positions import format_position, parse_position
from tests.bench import exports
from tests.bench.tables import store_all
from tests.bench.test_upload_cost import METER_ID, START, incompressible_minutes, minutes, seconds
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.xdist_group("bench")

DAYS = {"minutes": 366, "minutes without sums": exports.DAYS, "seconds": 31}
"""A page ends after some 17 days of seconds however many follow, and DynamoDB Local cannot hold a year of them."""
BEGIN = datetime(2023, 12, 31, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST_HOUR = hour_of(START).encode()
NOW = datetime(2025, 6, 1, tzinfo=UTC)
METER = Meter(METER_ID, MeterKind.METERED, BEGIN)
BERLIN = zone("Europe/Berlin")
PROCESSOR_SHARE = 1024 / 1769
"""What the API's function has of a processor at its memory."""
FUNCTION_SECONDS = 29
KINDS: dict[str, Callable[[], bytes]] = {
    "minutes": lambda: minutes(1),
    "minutes without sums": lambda: incompressible_minutes(12),
    "seconds": lambda: seconds(1, "{:.3f}".format),
}


@pytest.fixture(scope="module", params=KINDS)
def year(engine: str, request: pytest.FixtureRequest) -> Iterator[tuple[str, ReadingStore, int]]:
    """Store a year: each hour has the values of one."""
    from tests.engines import client_of  # noqa: PLC0415 - needs Java only where the bench is run

    client = client_of(engine)
    table = f"readings-{uuid4().hex}"
    create_table(client, "ReadingsTable", table)
    lines = KINDS[request.param]()
    fill(client, table, lines, span_of(request.param))
    yield request.param, ReadingStore(client, table), lines.count(b"\n")
    client.delete_table(TableName=table)


def span_of(kind: str) -> Interval:
    last = BEGIN.astimezone(BERLIN).date() + timedelta(days=DAYS[kind])
    return Interval(BEGIN, datetime.combine(last, datetime.min.time(), BERLIN).astimezone(UTC))


def fill(client: "DynamoDBClient", table: str, lines: bytes, span: Interval) -> None:
    made_at = to_micros(span.end)
    block = HourBlock(
        lines, (Origin(made_at, made_at, made_at),), sums=sum_quarters(lines), changed_at=made_at
    )
    at = span.start
    items: list[dict[str, Any]] = []
    has_sums = False
    while at < span.end:
        key = {"pk": {"S": f"METER#{METER_ID}"}, "sk": {"S": f"HOUR#{hour_of(at)}"}}
        if not has_sums:  # else the lines are never read
            hour = lines.replace(FIRST_HOUR, hour_of(at).encode())
            item = hour_item(replace(block, lines=hour), 1, size_of(key))
            has_sums = (facts := to_facts(item)) is not None and facts.sums is not None
        items.append(key | item)
        at += HOUR
    store_all(client, table, items)


@pytest.mark.parametrize("resolution", ["quarter_hour", "hour", "day", "month"])
def test_no_page_of_a_year_takes_more_than_a_part_of_the_function_s_time(
    year: tuple[str, ReadingStore, int], resolution: str, record_property: Callable[[str, object], None]
) -> None:
    kind, store, per_hour = year
    span = span_of(kind)
    position: Position | None = Position(span.start)
    found: list[Summary] = []
    cpu: list[float] = []
    wall: list[float] = []
    while position and len(cpu) < 40:
        started = time.process_time(), time.perf_counter()
        hours = store.sums(METER, Interval(position.start, span.end))
        page = summarise(hours, BERLIN, Resolution(resolution), 1440, position.begun)
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
        found += page.summaries
        position = parse_position(format_position(page.following)) if page.following else None
    if position is None:
        assert sum(summary.readings for summary in found) == (span.end - span.start) // HOUR * per_hour
    billed = max(cpu) / PROCESSOR_SHARE
    record_property("seconds", round(billed, 2))
    sys.stderr.write(
        f"\n{DAYS[kind]} days of {kind} by {resolution}, limit 1440: {len(found)} periods on {len(cpu)} pages, CPU of a page"
        f" {max(cpu):.2f} s at most ({billed:.2f} s at 1024 MB), wall {max(wall):.2f} s here\n"
    )
    assert billed < FUNCTION_SECONDS / 3


def test_the_completeness_of_a_year_takes_a_part_of_the_function_s_time(
    year: tuple[str, ReadingStore, int], record_property: Callable[[str, object], None]
) -> None:
    kind, store, per_hour = year
    span = span_of(kind)
    started = time.process_time(), time.perf_counter()
    days = list(
        days_between(BERLIN, span.start.astimezone(BERLIN).date(), span.end.astimezone(BERLIN).date())
    )
    found = completeness(days, store.presence(METER, span), 60, NOW)
    cpu, wall = time.process_time() - started[0], time.perf_counter() - started[1]
    assert (found.total.present, found.total.surplus) == (
        (span.end - span.start) // HOUR * 60,
        (span.end - span.start) // HOUR * (per_hour - 60),
    )
    record_property("seconds", round(cpu / PROCESSOR_SHARE, 2))
    sys.stderr.write(
        f"\ncompleteness of {DAYS[kind]} days of {kind}: CPU {cpu:.2f} s ({cpu / PROCESSOR_SHARE:.2f} s at 1024 MB),"
        f" wall {wall:.2f} s here\n"
    )
    assert cpu / PROCESSOR_SHARE < FUNCTION_SECONDS / 3 * (DAYS[kind] / 366 if "minutes" in kind else 1)
