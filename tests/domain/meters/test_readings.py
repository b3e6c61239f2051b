"""Lines and blocks: what is stored is what was sent, in the order of time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.meters.readings import (
    HEADER,
    Interval,
    Reading,
    Resolution,
    blocks_of,
    clip,
    format_line,
    is_meter_id,
    merge,
    read_line,
    summarise,
)

HOUR = datetime(2024, 1, 1, tzinfo=UTC)


def line(second: int, value: str = "1") -> bytes:
    return format_line("m", Reading(HOUR + timedelta(seconds=second), value, value, value, value))


writes = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["1", "2"])), max_size=12)


def test_the_header_names_the_columns() -> None:
    assert HEADER == b"timestamp,smart_meter_id,energy_kwh,power_kw,voltage_v,current_a\r\n"


def test_a_line_keeps_every_digit_it_was_given() -> None:
    reading = Reading(HOUR, "0.10", "-0", "230.000000000000000001", "7")
    assert format_line("m", reading) == b"2024-01-01T00:00:00Z,m,0.10,-0,230.000000000000000001,7\r\n"
    assert read_line(format_line("m", reading)) == reading


def test_readings_belong_to_the_utc_hour_they_begin_in() -> None:
    readings = [Reading(HOUR + timedelta(minutes=minute), *"1111") for minute in (59, 60, 61)]
    assert {hour: len(lines) for hour, lines in blocks_of("m", readings).items()} == {
        "2024-01-01T00": 1,
        "2024-01-01T01": 2,
    }


@given(writes, writes)
def test_a_merge_is_what_a_dictionary_would_hold(
    before: list[tuple[int, str]], new: list[tuple[int, str]]
) -> None:
    old, after = dict(before), dict(before) | dict(new)
    block = merge(b"", [line(*write) for write in before]).block
    merged = merge(block, [line(*write) for write in new])
    assert merged.block == b"".join(line(second, after[second]) for second in sorted(after))
    assert merged.stored == len(after) - len(old)
    assert merged.updated == sum(after[second] != value for second, value in old.items())


@given(writes, writes)
def test_the_order_of_uploads_of_different_timestamps_does_not_matter(
    one: list[tuple[int, str]], other: list[tuple[int, str]]
) -> None:
    first = [line(*write) for write in one]
    second = [line(at + 100, value) for at, value in other]
    assert merge(merge(b"", first).block, second).block == merge(merge(b"", second).block, first).block


def test_a_reading_sent_again_is_neither_stored_nor_updated() -> None:
    block = merge(b"", [line(0), line(1)]).block
    assert merge(block, [line(0)]) == (block, 0, 0)


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 70), st.integers(0, 70))
def test_a_clip_is_half_open(seconds: set[int], start: int, end: int) -> None:
    block = b"".join(line(second) for second in sorted(seconds))
    stamps = Interval(HOUR + timedelta(seconds=start), HOUR + timedelta(seconds=end)).stamps
    assert clip(block, *stamps) == b"".join(line(at) for at in sorted(seconds) if start <= at < end)


def test_the_borders_of_an_interval_round_up_to_whole_seconds() -> None:
    half = timedelta(milliseconds=500)
    assert Interval(HOUR + half, HOUR + half + timedelta(seconds=2)).stamps == (
        b"2024-01-01T00:00:01Z",
        b"2024-01-01T00:00:03Z",
    )


def test_a_summary_sums_energy_and_takes_the_mean_of_the_rest_exactly() -> None:
    rows = [
        Reading(HOUR + timedelta(minutes=30 * index), "0.1", f"{index}", "230", "-1") for index in range(3)
    ]
    blocks = [b"".join(lines) for lines in blocks_of("m", rows).values()]
    hours = list(summarise(blocks, Resolution.HOUR))
    assert [(hour.at, hour.energy_kwh, hour.power_kw, hour.readings) for hour in hours] == [
        (HOUR, Decimal("0.2"), Decimal("0.5"), 2),
        (HOUR + timedelta(hours=1), Decimal("0.1"), Decimal(2), 1),
    ]
    (day,) = summarise(blocks, Resolution.DAY)
    assert (day.at, day.energy_kwh, day.power_kw, day.current_a, day.readings) == (
        HOUR,
        Decimal("0.3"),
        Decimal(1),
        Decimal(-1),
        3,
    )


def test_no_meter_id_begins_a_formula_or_needs_quotes() -> None:
    assert all(is_meter_id(text) for text in ("1", "a", "A-b_9", "x" * 64))
    assert not any(
        is_meter_id(text) for text in ("", "=1", "+1", "-1", "@a", "\ta", "a,b", 'a"', "a\n", "x" * 65, "é")
    )
