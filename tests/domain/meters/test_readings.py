"""Readings, and the lines of the CSV format: what is stored is what was sent, in the order of time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.meters.csv_format import (
    HEADER,
    ExtraColumn,
    append_columns,
    clip,
    format_line,
    header,
    read_line,
)
from domain.meters.readings import Interval, Quality, is_meter_id, same_values
from domain.meters.versions import FORMER, Origin
from tests.readings import reading

HOUR = datetime(2024, 1, 1, tzinfo=UTC)
BOTH = (ExtraColumn.CREATED_AT, ExtraColumn.QUALITY)


def line(second: int, value: str = "1") -> bytes:
    return format_line("m", reading(HOUR + timedelta(seconds=second), value, value, value, value))


def test_the_header_names_the_columns() -> None:
    assert HEADER == b"timestamp,smart_meter_id,energy_kwh,power_kw,voltage_v,current_a\r\n"
    assert header(()) == HEADER
    assert header(BOTH) == HEADER.strip() + b",created_at,quality\r\n"


def test_a_line_keeps_every_digit_it_was_given() -> None:
    sent = reading(HOUR, "0.10", "-0", "230.000000000000000001", "7")
    assert format_line("m", sent) == b"2024-01-01T00:00:00Z,m,0.10,-0,230.000000000000000001,7\r\n"
    assert read_line(format_line("m", sent)) == sent


def test_a_value_that_is_missing_prints_as_empty() -> None:
    assert format_line("m", reading(HOUR, "0.1")) == b"2024-01-01T00:00:00Z,m,0.1,,,\r\n"
    assert read_line(format_line("m", reading(HOUR, "", "2"))).values == ("", "2", "", "")


def test_the_same_numbers_are_the_same_however_they_are_written_and_none_is_not_zero() -> None:
    assert same_values(("1.5", "-0", "10", ""), ("1.50", "0.0", "10.000", ""))
    assert not same_values(("1.5", "", "", ""), ("1.5", "0", "", ""))
    assert not same_values(("1.5", "", "", ""), ())


def test_extra_columns_are_appended_in_the_order_asked_for() -> None:
    made = Origin(1704067200_500000, 1704067200_500000, 1, Quality.ESTIMATED)
    lines = line(0) + line(1)
    ends = (b",2024-01-01T00:00:00.500000Z,estimated\r\n", b",,measured\r\n")
    assert append_columns(lines, [made], BOTH) == lines.replace(b"\r\n", ends[0])
    assert append_columns(lines, [made, FORMER], BOTH) == (
        line(0).strip() + ends[0] + line(1).strip() + ends[1]
    )


@given(st.sets(st.integers(0, 60), min_size=1), st.integers(0, 70), st.integers(0, 70))
def test_a_clip_is_half_open(seconds: set[int], start: int, end: int) -> None:
    block = b"".join(line(second) for second in sorted(seconds))
    limits = Interval(HOUR + timedelta(seconds=start), HOUR + timedelta(seconds=end)).timestamps
    assert clip(block, *limits) == b"".join(line(at) for at in sorted(seconds) if start <= at < end)


def test_the_limits_of_an_interval_round_up_to_whole_seconds() -> None:
    half = timedelta(milliseconds=500)
    assert Interval(HOUR + half, HOUR + half + timedelta(seconds=2)).timestamps == (
        b"2024-01-01T00:00:01Z",
        b"2024-01-01T00:00:03Z",
    )


def test_no_meter_id_begins_a_formula_or_needs_quotes() -> None:
    assert all(is_meter_id(text) for text in ("1", "a", "A-b_9", "x" * 64))
    assert not any(
        is_meter_id(text) for text in ("", "=1", "+1", "-1", "@a", "\ta", "a,b", 'a"', "a\n", "x" * 65, "é")
    )
