"""How hours are stored in few bytes: sums are left out where they cost a unit, and origins are columns."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.actors import Actor, ActorKind
from domain.meters.completeness import FULL_HOUR
from domain.meters.csv_format import format_line
from domain.meters.readings import Interval, Meter, MeterKind, Quality, Reading
from domain.meters.sums import add, sum_quarters
from domain.meters.versions import HourBlock, Origin
from infra import aws
from infra.meters.reading_facts import origin_facts, to_origins
from infra.meters.reading_items import count_of, hour_item, size_of, to_block, to_facts
from infra.meters.reading_store import ReadingStore
from tests.conftest import create_table
from tests.readings import reading

HOUR = datetime(2024, 1, 1, tzinfo=UTC)
AT = 1_717_200_000_000_000
UNIT = 1024
METER = Meter("m", MeterKind.METERED, HOUR)
DAY = Interval(HOUR, HOUR + timedelta(days=1))


def hour_of_minutes(digits: int, begin: datetime = HOUR) -> list[Reading]:
    """Return readings whose values have so many digits that nothing predicts."""
    rng = random.Random(digits)
    texts = [[str(rng.randrange(10**digits, 10 ** (digits + 1))) for _ in range(2)] for _ in range(60)]
    return [
        reading(begin + timedelta(minutes=minute), *values, created_at=AT)
        for minute, values in enumerate(texts)
    ]


def block_of(readings: list[Reading]) -> HourBlock:
    lines = b"".join(format_line("m", one) for one in readings)
    return HourBlock(lines, (Origin(AT, AT, AT + 7),), sums=sum_quarters(lines), changed_at=AT + 7)


def test_sums_are_left_out_exactly_where_they_would_take_another_unit() -> None:
    left_out = 0
    for size_of_key in range(0, UNIT, 16):
        block = block_of(hour_of_minutes(4))
        whole, stored = hour_item(block, 1), hour_item(block, 1, size_of_key)
        facts = to_facts(stored)
        assert facts is not None
        if facts.sums is None:
            left_out += 1
            units = [-(-(size_of_key + size_of(item)) // UNIT) for item in (whole, stored)]
            assert units[1] == units[0] - 1
        else:
            assert stored == whole
        assert (facts.changed_at, facts.readings, count_of(stored)) == (AT + 7, 60, 60)
        assert to_block(stored).lines == block.lines
    assert 0 < left_out < 12


@pytest.fixture
def store(cloud: None) -> ReadingStore:
    table = uuid4().hex
    create_table(aws.dynamodb(), "ReadingsTable", table)
    return ReadingStore(aws.dynamodb(), table)


def facts_by_hour(store: ReadingStore) -> list[bool]:
    items = store._hours("m", DAY.timestamps, ["sk", "facts"])
    return [(facts := to_facts(item)) is not None and facts.sums is not None for item in items]


def test_hours_without_sums_have_the_same_answers(store: ReadingStore) -> None:
    hours = [hour_of_minutes(digits, HOUR + timedelta(hours=digits)) for digits in range(1, 16)]
    store.store("m", [one for hour in hours for one in hour])
    assert set(facts_by_hour(store)) == {True, False}
    found = list(store.sums(METER, DAY))
    assert [hour.quarters for hour in found] == [
        sum_quarters(b"".join(format_line("m", one) for one in hour)) for hour in hours
    ]
    assert [hour.minutes for hour in store.presence(METER, DAY)] == [FULL_HOUR] * 15
    assert all(hour.readings == dict.fromkeys(range(4), 15) for hour in store.presence(METER, DAY))


def test_hours_without_sums_are_corrected_and_deleted_like_others(store: ReadingStore) -> None:
    hours = [hour_of_minutes(digits, HOUR + timedelta(hours=digits)) for digits in range(1, 16)]
    store.store("m", [one for hour in hours for one in hour])
    known_at = datetime.now(UTC) + timedelta(milliseconds=1)
    corrected = [hour[0]._replace(energy_kwh="1", created_at=AT + 1) for hour in hours]
    assert store.store("m", corrected).updated == 15
    for hour, sums in zip(hours, store.sums(METER, DAY), strict=True):
        total = sum((Decimal(one.energy_kwh) for one in hour[1:]), Decimal(1))
        assert add(sums.quarters.values()).totals[0] == total
    (first, *_) = store.sums(METER, DAY, known_at)
    lines = b"".join(format_line("m", one) for one in hours[0])
    assert first.quarters == sum_quarters(lines)
    assert store.delete("m", DAY) == 15 * 60
    assert list(store.sums(METER, DAY)) == []


instants = st.integers(AT, AT + 10**10)
origins = st.builds(
    lambda created, confirmed, recorded, *rest: Origin(created, created + confirmed, recorded, *rest),
    instants,
    st.integers(0, 10**6),
    instants,
    st.sampled_from(Quality),
    st.sampled_from([None, Actor(ActorKind.API_KEY, "key", "gateway"), Actor(ActorKind.ANONYMOUS)]),
) | st.just(Origin(None, None, 0))
in_milliseconds = st.builds(
    lambda created, recorded: Origin(created * 1000, created * 1000, recorded * 1000),
    st.integers(AT // 1000, AT // 1000 + 10**7),
    st.integers(AT // 1000, AT // 1000 + 10**7),
)


@given(st.lists(origins, max_size=9) | st.lists(in_milliseconds, max_size=9))
def test_origins_are_read_as_they_were_stored(found: list[Origin]) -> None:
    assert to_origins(json.loads(json.dumps(origin_facts(found)))) == found


def test_origins_are_read_as_they_were_stored_before_columns_became_shorter() -> None:
    former = [
        [AT, 5, 5, 5],
        [0, 0, -1, 9],
        [7, 8, 9, 10],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [["user", "1", "ada"], None],
    ]
    ada = Actor(ActorKind.USER, "1", "ada")
    assert to_origins(former) == [
        Origin(AT, AT, AT + 7, Quality.MEASURED, ada),
        Origin(AT + 5, AT + 5, AT + 13, Quality.MEASURED, ada),
        Origin(AT + 10, None, AT + 19, Quality.ESTIMATED, None),
        Origin(AT + 15, AT + 24, AT + 25, Quality.MEASURED, ada),
    ]


def test_the_service_notes_its_own_time_in_milliseconds(store: ReadingStore) -> None:
    now = datetime(2024, 6, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    store.now = lambda: now
    store.store("m", [reading(HOUR, "1", created_at=AT)])
    (version,) = store.versions("m", HOUR, 10, None).versions
    assert version.origin.recorded_at % 1000 == 0
    assert b"".join(store.lines(METER, DAY, known_at=now)) == b""  # as it was read then
    assert b"".join(store.lines(METER, DAY, known_at=now + timedelta(milliseconds=1)))
