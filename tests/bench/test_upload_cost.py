"""What versions of readings cost where nothing is corrected: CPU, write units and bytes, beside the former way."""

import random
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.actors import Actor, ActorKind
from domain.meters.csv_format import HEADER
from domain.meters.csv_uploads import read_csv
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from infra.meters.reading_items import decompress
from infra.meters.reading_store import ReadingStore
from tests.bench import former_readings
from tests.bench.exports import DAYS
from tests.bench.former_readings import FormerStore
from tests.bench.ratios import best_of_tries, ratio_of_cpu
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.xdist_group("bench")

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
ACTOR = Actor(ActorKind.API_KEY, "0123456789abcdef", "meter gateway")
METER_ID = "meter-1"
UPLOAD_CPU = READING_CPU = 1.1
ONE_BY_ONE_CPU = 1.25
fresh = count()


def minutes(hours: int) -> bytes:
    """Return what the simulated meter makes."""
    return b"".join(simulate(METER_ID, Interval(START, START + timedelta(hours=hours))))


def seconds(hours: int, form: Callable[[float], str]) -> bytes:
    """Return readings of each second, whose load moves a little from one to the next."""
    rng, load = random.Random(1), 0.7
    lines = []
    for second in range(3600 * hours):
        at = (START + timedelta(seconds=second)).isoformat()[:19] + "Z"
        load = min(9.0, max(0.1, load + rng.uniform(-0.02, 0.02)))
        volts = 230 + rng.uniform(-1.5, 1.5)
        values = map(form, (load / 3600, load, volts, load * 1000 / volts))
        lines.append(f"{at},{METER_ID},{','.join(values)}\r\n")
    return "".join(lines).encode()


def incompressible_minutes(digits: int) -> bytes:
    """Return an hour of minutes whose values have some digits that nothing predicts."""
    rng = random.Random(digits)
    lines = []
    for minute in range(60):
        at = (START + timedelta(minutes=minute)).isoformat()[:19] + "Z"
        decimals = [(digits + place) // 4 for place in range(4)]
        values = [f"{rng.uniform(1, 9):.{places}f}" for places in decimals]
        lines.append(f"{at},{METER_ID},{','.join(values)}\r\n")
    return "".join(lines).encode()


class Clock:
    """A clock by which a reading is sent each minute, give or take two seconds, and stored some milliseconds later."""

    def __init__(self) -> None:
        self.rng = random.Random(7)
        self.minute = self.at = NOW

    def next_minute(self) -> datetime:
        """Return when the next reading is sent."""
        self.minute += timedelta(minutes=1)
        self.at = self.minute + timedelta(microseconds=self.rng.randrange(-2_000_000, 2_000_000))
        return self.at

    def now(self) -> datetime:
        """Return when it is stored."""
        return self.at + timedelta(microseconds=self.rng.randrange(1_000, 20_000))


UPLOADS = {
    "a week of minutes": lambda: minutes(24 * 7),
    "four hours of seconds, three decimals": lambda: seconds(4, "{:.3f}".format),
    "two hours of seconds, doubles": lambda: seconds(2, repr),
}


class Ways:
    """The former and the present writer, on tables of their own."""

    def __init__(self, client: "DynamoDBClient") -> None:
        tables = [f"readings-{uuid4().hex}" for _ in range(2)]
        for table in tables:
            create_table(client, "ReadingsTable", table)
        self.former, self.present = FormerStore(client, tables[0]), ReadingStore(client, tables[1])

    def store_former(self, meter_id: str, text: str) -> None:
        """Read and store a file in the former way."""
        self.former.store(meter_id, former_readings.read_csv(text, meter_id))

    def store_present(self, meter_id: str, text: str) -> None:
        """Read and store a file."""
        self.present.store(meter_id, read_csv(text, meter_id, NOW), ACTOR)


@pytest.fixture(scope="module")
def ways(engine: str) -> Ways:
    from tests.engines import client_of  # noqa: PLC0415 - needs Java only where the bench is run

    return Ways(client_of(engine))


def units_of(client: "DynamoDBClient", act: Callable[[], object]) -> int:
    """Return the write units that the transactions of `act` take: two for each begun KB of each item.

    Not what DynamoDB Local says, which counts one item of a transaction.
    """
    taken: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        items = [write["Put"]["Item"] for write in params["TransactItems"]]
        taken.extend(2 * -(-_size_of(item) // 1024) for item in items)

    event = "provide-client-params.dynamodb.TransactWriteItems"
    client.meta.events.register(event, note)
    try:
        act()
    finally:
        client.meta.events.unregister(event, note)
    return sum(taken)


def _size_of(item: dict[str, dict[str, Any]]) -> int:
    """Return the bytes of an item as DynamoDB counts them."""
    values = [(kind, value) for attribute in item.values() for kind, value in attribute.items()]
    return sum(map(len, item)) + sum(
        len(value) // 2 + 2 if kind == "N" else len(value) for kind, value in values
    )


@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_of_new_hours_costs_at_most_a_tenth_more_cpu_and_no_more_units(
    ways: Ways, name: str, record_property: Callable[[str, object], None]
) -> None:
    lines = UPLOADS[name]().decode()

    def text_of(meter_id: str) -> str:
        return HEADER.decode() + lines.replace(METER_ID, meter_id)

    def upload(store: Callable[[str, str], None]) -> Callable[[], None]:
        def act() -> None:
            meter_id = f"new-{next(fresh):05}"
            store(meter_id, text_of(meter_id))

        return act

    ratio = best_of_tries(
        UPLOAD_CPU, lambda: ratio_of_cpu(upload(ways.store_present), upload(ways.store_former))
    )
    client, meter_id = ways.present.client, f"units-{len(lines)}"
    units = [
        units_of(client, lambda: ways.store_former(meter_id, text_of(meter_id))),
        units_of(client, lambda: ways.store_present(meter_id, text_of(meter_id))),
    ]
    record_property("cpu", round(ratio, 3))
    sys.stderr.write(f"\nupload of {name}: CPU / former {ratio:.2f}, write units {units[1]} / {units[0]}\n")
    assert ratio <= UPLOAD_CPU
    assert units[1] <= units[0]


def test_readings_that_come_one_by_one_cost_no_more_units_and_at_most_a_quarter_more_cpu(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = minutes(3).decode().splitlines(keepends=True)

    def one_by_one(store: Callable[[str, str], None], meter_id: str, most: int = len(lines)) -> None:
        for line in lines[:most]:
            store(meter_id, HEADER.decode() + line.replace(METER_ID, meter_id))

    def turn_of(store: Callable[[str, str], None]) -> Callable[[], None]:
        return lambda: one_by_one(store, f"one-{next(fresh):05}", most=60)

    ratio = best_of_tries(
        ONE_BY_ONE_CPU, lambda: ratio_of_cpu(turn_of(ways.store_present), turn_of(ways.store_former))
    )
    client, clock = ways.present.client, Clock()
    monkeypatch.setattr(ways.present, "now", clock.now)

    def store_by_clock(meter_id: str, text: str) -> None:
        ways.present.store(meter_id, read_csv(text, meter_id, clock.next_minute()), ACTOR)

    units = [
        units_of(client, partial(one_by_one, store, "one-units"))
        for store in (ways.store_former, store_by_clock)
    ]
    sys.stderr.write(f"\none by one: CPU / former {ratio:.2f}, write units {units[1]} / {units[0]}\n")
    assert ratio <= ONE_BY_ONE_CPU
    assert units[1] <= units[0]


def test_an_hour_of_minutes_of_any_size_takes_no_more_units(ways: Ways) -> None:
    """Some of these hours fitted just into a unit, or into two."""
    for digits in range(1, 16):
        text = HEADER.decode() + incompressible_minutes(digits).decode()
        meter_id = f"digits-{digits:02}"
        units = [
            units_of(ways.present.client, partial(store, meter_id, text.replace(METER_ID, meter_id)))
            for store in (ways.store_former, ways.store_present)
        ]
        assert units[1] <= units[0], digits


def test_reading_for_an_export_costs_at_most_a_tenth_more_cpu(ways: Ways) -> None:
    days = Interval(START, START + timedelta(days=DAYS))
    lines = minutes(DAYS * 24).decode().splitlines(keepends=True)
    parts = [
        HEADER.decode() + "".join(lines[first : first + 60_000]) for first in range(0, len(lines), 60_000)
    ]
    for text in parts:
        ways.store_former(METER_ID, text)
        ways.present.store(METER_ID, read_csv(text, METER_ID, datetime(2026, 1, 1, tzinfo=UTC)), ACTOR)
    meter = Meter(METER_ID, MeterKind.METERED, NOW)

    def read(blocks: Iterator[bytes]) -> int:
        return sum(map(len, blocks))

    def read_former() -> int:
        return read(ways.former.blocks(METER_ID, days))

    def read_present(known_at: datetime | None = None) -> int:
        return read(ways.present.lines(meter, days, known_at=known_at))

    assert read_former() == read_present()
    ratio = best_of_tries(READING_CPU, lambda: ratio_of_cpu(read_present, read_former))
    known_at = partial(read_present, datetime(2030, 1, 1, tzinfo=UTC))
    sys.stderr.write(
        f"\nreading {DAYS} days: CPU / former {ratio:.2f};"
        f" with known_at {ratio_of_cpu(known_at, read_former, turns=2):.2f}\n"
    )
    assert ratio <= READING_CPU


def test_what_is_stored_of_an_hour_is_the_lines_of_an_export(ways: Ways) -> None:
    ways.store_present("body", HEADER.decode() + minutes(1).decode().replace(METER_ID, "body"))
    interval = Interval(START, START + timedelta(hours=1))
    (item,) = ways.present._hours("body", interval.timestamps, ["body"])
    assert decompress(item["body"]["B"]) == minutes(1).replace(METER_ID.encode(), b"body")
