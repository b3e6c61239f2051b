from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instants import (
    EARLIEST,
    LATEST,
    MalformedTimeError,
    format_instant,
    from_micros,
    parse_date,
    parse_instant,
    to_micros,
)

instants = st.datetimes(
    min_value=EARLIEST.replace(tzinfo=None), max_value=LATEST.replace(tzinfo=None), timezones=st.just(UTC)
)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(instants)
def test_a_formatted_instant_parses_to_the_same_instant(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(instants, offsets)
def test_an_instant_is_the_same_whatever_the_offset_it_is_written_with(
    instant: datetime, offset: timezone
) -> None:
    written = instant.astimezone(offset).isoformat()

    assert parse_instant(written) == instant
    assert format_instant(instant.astimezone(offset)) == format_instant(instant)


@given(instants)
def test_a_stored_instant_reads_back_as_the_same_instant(instant: datetime) -> None:
    assert from_micros(to_micros(instant)) == instant


@given(instants, instants)
def test_stored_instants_sort_like_the_instants(one: datetime, other: datetime) -> None:
    assert (to_micros(one) < to_micros(other)) == (one < other)


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.*", fullmatch=True))
def test_any_text_is_an_instant_of_the_years_2000_to_2100_or_is_refused(text: str) -> None:
    try:
        instant = parse_instant(text)
    except MalformedTimeError:
        return
    assert EARLIEST <= instant <= LATEST
    assert instant.utcoffset() == timedelta(0)


@given(st.text())
def test_any_text_is_a_date_in_its_only_spelling_or_is_refused(text: str) -> None:
    try:
        assert parse_date(text).isoformat() == text
    except MalformedTimeError:
        return


@given(st.dates())
def test_a_formatted_date_parses_to_the_same_date(day: date) -> None:
    assert parse_date(day.isoformat()) == day


def test_the_bounds_hold_to_the_microsecond() -> None:
    assert parse_instant("2000-01-01T00:00:00Z") == EARLIEST
    assert parse_instant("2100-12-31T23:59:59.999999Z") == LATEST
    for text in ("1999-12-31T23:59:59.999999Z", "2101-01-01T00:00:00Z"):
        with pytest.raises(MalformedTimeError, match="2000 to 2100"):
            parse_instant(text)


def test_a_fraction_is_a_fraction_and_not_a_number_of_microseconds() -> None:
    for text, micros in [(".5", 500_000), (".05", 50_000), (".000005", 5), (".500000", 500_000)]:
        assert parse_instant(f"2024-01-01T00:00:00{text}Z").microsecond == micros


def test_a_fraction_is_formatted_only_if_it_is_not_zero() -> None:
    assert format_instant(datetime(2024, 1, 1, tzinfo=UTC)) == "2024-01-01T00:00:00Z"
    assert format_instant(datetime(2024, 1, 1, 0, 0, 0, 120_000, UTC)) == "2024-01-01T00:00:00.120000Z"
