"""Uploads: the good read as they stand, the bad refused with the place of each mistake."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instants import parse_instant, to_micros
from domain.meters.csv_format import HEADER
from domain.meters.csv_uploads import read_csv
from domain.meters.json_uploads import read_entries
from domain.meters.readings import Quality
from domain.meters.uploads import MAX_AHEAD, MAX_HOURS, InvalidReadingsError, Problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROW = "2024-01-01T00:00:00Z,m,0.10,6.0,230,-0.5"
ENTRY = {
    "timestamp": "2024-01-01T00:00:00Z",
    "energy_kwh": Decimal("0.10"),
    "power_kw": "6.0",
    "voltage_v": 230,
    "current_a": -0.5,
}


doubles = st.one_of(
    st.just(0.0),
    *(
        st.floats(low, high, exclude_min=True, exclude_max=True)
        for low, high in ((1e-30, 1e9), (-1e9, -1e-30))
    ),
)


def csv(*rows: str, header: str = HEADER.decode().strip(), end: str = "\r\n") -> str:
    return end.join([header, *rows, ""])


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(InvalidReadingsError) as refused:
        read_csv(text, "m", NOW)
    return refused.value.problems


def entry_problems(*entries: Any) -> list[Problem]:
    with pytest.raises(InvalidReadingsError) as refused:
        read_entries(entries, NOW)
    return refused.value.problems


@pytest.mark.parametrize(
    "text",
    [
        csv(ROW),
        csv(ROW, end="\n"),
        csv(ROW).rstrip(),
        "\ufeff" + csv(ROW),
        csv(*['"' + ROW.replace(",", '","') + '"']),
        csv(ROW.replace("00:00:00Z", "01:00:00+01:00")),
        csv("", ROW, ""),
    ],
    ids=["crlf", "lf", "no-last-end", "bom", "quoted", "offset", "blank-lines"],
)
def test_csv_is_read_however_it_is_written(text: str) -> None:
    (reading,) = read_csv(text, "m", NOW)
    assert reading.values == ("0.10", "6.0", "230", "-0.5")
    assert reading.timestamp == "2024-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("T", " ", 1), "timestamp must be an instant such as 2024-01-31T12:00:00Z"),
        (ROW.replace("00Z", "00.5Z"), "timestamp must be a whole second"),
        (ROW.replace("2024-01-01", "2023-02-29"), "timestamp must be an instant that exists"),
        (ROW.replace("2024", "1999"), "timestamp must lie in the years 2000 to 2100"),
        (ROW.replace(",m,", ",other,"), "smart_meter_id must be the meter that the readings are sent to"),
        (ROW.replace("0.10", "=1+1"), "energy_kwh must be a decimal number"),
        (
            "2024-01-01T00:00:00Z,m,,,,",
            "must have at least one of energy_kwh, power_kw, voltage_v, current_a",
        ),
        (ROW.replace("0.10", "0,10"), "must have 6 fields"),
        (ROW.replace("6.0", "6."), "power_kw must be a decimal number"),
        (ROW.replace("6.0", ".6"), "power_kw must be a decimal number"),
        (ROW.replace("6.0", "06.0"), "power_kw must be a decimal number"),
        (ROW.replace("230", "NaN"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "1e9"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "9.9e-31"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "1e"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "1e2.5"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "1e" + "9" * 30), "voltage_v must be a decimal number"),
        (ROW.replace("230", "Infinity"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "٢٣٠"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "1234567890"), "voltage_v must be a decimal number"),
        (ROW.replace("-0.5", "0." + "1" * 31), "current_a must be a decimal number"),
        (ROW + ",1", "must have 6 fields"),
        ('"' + ROW, "must be a line of RFC 4180"),
        (ROW.replace("m", '"m"x', 1), "must be a line of RFC 4180"),
    ],
)
def test_a_bad_row_is_named_by_its_line(row: str, message: str) -> None:
    (problem,) = problems_of(csv(ROW, row))
    assert problem.place == "line 3"
    assert message in problem.message


@pytest.mark.parametrize(
    "header", ["", "a,b", ROW, HEADER.decode().strip().upper(), "timestamp;smart_meter_id"]
)
def test_another_header_is_refused_on_line_1(header: str) -> None:
    assert [problem.place for problem in problems_of(csv(ROW, header=header))] == ["line 1"]


def test_all_mistakes_of_a_line_are_named_for_the_first_twenty_lines() -> None:
    problems = problems_of(csv(ROW, *["x,other,1,y,1,z"] * 50))
    assert [(problem.place, problem.message.split()[0]) for problem in problems] == [
        (f"line {number}", field)
        for number in range(3, 23)
        for field in ("smart_meter_id", "timestamp", "power_kw", "current_a")
    ]


def test_all_mistakes_of_an_entry_are_named() -> None:
    problems = entry_problems(ENTRY, ENTRY | {"timestamp": "x", "power_kw": [], "current_a": True})
    assert [problem.place for problem in problems] == [
        f"readings.1.{field}" for field in ("timestamp", "power_kw", "current_a")
    ]


def test_of_thousands_of_unknown_fields_one_is_named() -> None:
    assert len(entry_problems(ENTRY | {f"x{index}": 1 for index in range(5000)})) == 1


@given(opened=st.integers(2, 60), rows=st.integers(2, 60))
def test_an_open_quote_is_reported_on_the_line_where_it_opens(opened: int, rows: int) -> None:
    lines = [ROW] * max(opened, rows)
    lines[opened - 2] = ROW.replace("6.0", '"6.0')
    assert [problem.place for problem in problems_of(csv(*lines))] == [f"line {opened}"]


def test_what_follows_an_open_quote_is_read_line_by_line() -> None:
    problems = problems_of(csv('"' + ROW, ROW, "x", ROW.replace("m", '"m', 1)))
    assert [problem.place for problem in problems] == ["line 2", "line 4", "line 5"]


def moved(seconds: int) -> str:
    return (datetime(2024, 1, 1) + timedelta(seconds=seconds)).isoformat() + "Z"  # noqa: DTZ001 - written with Z


@given(st.lists(doubles, min_size=4, max_size=4))
def test_what_a_double_prints_is_taken_in_every_form_and_is_the_same_number(values: list[float]) -> None:
    fields = dict(zip(list(ENTRY)[1:], values, strict=True))
    (of_csv,) = read_csv(csv(",".join([moved(0), "m", *map(repr, values)])), "m", NOW)
    (of_numbers,) = read_entries([ENTRY | fields], NOW)
    (of_text,) = read_entries([ENTRY | {name: repr(value) for name, value in fields.items()}], NOW)
    assert of_csv == of_numbers == of_text
    assert list(map(float, of_csv.values)) == values
    assert not any("e" in text.lower() for text in of_csv.values)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (repr(116 / 60 / 1000), "0.0019333333333333333"),
        ("1e-05", "0.00001"),
        ("-1.5E+2", "-150"),
        ("1e-30", "0.000000000000000000000000000001"),
        ("0.10", "0.10"),
        ("999999999.999999999999999999999", "999999999.999999999999999999999"),
        ("1." + "0" * 60, "1"),
        ("0." + "0" * 60, "0"),
        ("0e-400", "0"),
        ("-0.0", "-0.0"),
    ],
)
def test_a_number_is_stored_with_its_digits_and_without_exponent(written: str, stored: str) -> None:
    (reading,) = read_csv(csv(ROW.replace("6.0", written)), "m", NOW)
    assert reading.power_kw == stored


def test_two_different_readings_of_one_timestamp_are_refused_with_both_lines() -> None:
    other = ROW.replace("0.10", "0.2")
    assert problems_of(csv(ROW.replace("T00", "T01"), ROW, "", other)) == [
        Problem("line 5", "must not differ from line 3, which has the same timestamp and created_at")
    ]
    assert entry_problems(ENTRY, ENTRY | {"timestamp": "2024-01-01T01:00:00+01:00", "power_kw": 7}) == [
        Problem("readings.1", "must not differ from readings.0, which has the same timestamp and created_at")
    ]


def test_a_conflict_is_reported_beside_the_mistakes_of_other_lines_in_their_order() -> None:
    other = ROW.replace("0.10", "0.11")
    conflict = "must not differ from line 2, which has the same timestamp and created_at"
    problems = problems_of(csv(ROW, "x" + ROW, other, ROW.replace(",m,", ",n,")))
    assert [problem.place for problem in problems] == ["line 3", "line 4", "line 5"]
    assert problems[1] == Problem("line 4", conflict)
    wrong = ["x" + ROW] * 19
    assert len(problems_of(csv(ROW, *wrong, other, other))) == 20


def test_the_same_reading_twice_is_no_mistake_however_its_numbers_are_written() -> None:
    assert len(read_csv(csv(ROW, ROW.replace("0.10", "1e-1").replace("230", "230.000")), "m", NOW)) == 2


@given(st.datetimes(datetime(2000, 1, 1), datetime(2025, 12, 31)))  # noqa: DTZ001 - UTC is added
def test_a_timestamp_is_the_instant_that_events_would_read(at: datetime) -> None:
    written = at.isoformat(timespec="seconds") + "Z"
    (reading,) = read_entries([ENTRY | {"timestamp": written}], NOW)
    assert parse_instant(reading.timestamp) == parse_instant(written)
    assert reading.timestamp == written


def test_a_timestamp_lies_at_most_a_day_ahead() -> None:
    latest = NOW + MAX_AHEAD
    row = ROW.replace("2024-01-01T00:00:00Z", latest.isoformat())
    assert len(read_csv(csv(row), "m", NOW)) == 1
    with pytest.raises(InvalidReadingsError, match="line 2: timestamp must be at most a day ahead of now"):
        read_csv(csv(row), "m", NOW - timedelta(microseconds=1))
    later = ENTRY | {"timestamp": (latest + timedelta(seconds=1)).isoformat()}
    assert entry_problems(later) == [Problem("readings.0.timestamp", "must be at most a day ahead of now")]


@pytest.mark.parametrize("text", [csv(), HEADER.decode().strip()])
def test_an_empty_export_may_be_uploaded_again(text: str) -> None:
    assert read_csv(text, "m", NOW) == []


def test_an_empty_list_is_refused() -> None:
    assert entry_problems() == [Problem("readings", "must hold at least one reading")]


def test_a_value_may_be_missing_in_every_form() -> None:
    (of_csv,) = read_csv(csv("2024-01-01T00:00:00Z,m,0.1,,,"), "m", NOW)
    entries = [
        {"timestamp": ENTRY["timestamp"], "energy_kwh": Decimal("0.1")} | rest
        for rest in ({}, dict.fromkeys(("power_kw", "voltage_v"), None), {"power_kw": "", "current_a": None})
    ]
    of_json = [read_entries([entry], NOW)[0] for entry in entries]
    assert [reading.values for reading in (of_csv, *of_json)] == [("0.1", "", "", "")] * 4


def test_a_reading_without_any_value_is_refused() -> None:
    for entry in ({"timestamp": ENTRY["timestamp"]}, ENTRY | dict.fromkeys(list(ENTRY)[1:], "")):
        (problem,) = entry_problems(entry)
        assert problem.message == "must have at least one of energy_kwh, power_kw, voltage_v, current_a"


@pytest.mark.parametrize("columns", [("quality", "created_at"), ("created_at", "quality"), ("quality",)])
def test_a_file_may_have_the_columns_of_an_export_that_has_them(columns: tuple[str, ...]) -> None:
    fields = {"quality": "estimated", "created_at": "2024-02-01T00:00:00.5Z"}
    head = ",".join((HEADER.decode().strip(), *columns))
    full = ",".join((ROW, *(fields[name] for name in columns)))
    empty = ",".join((ROW.replace("T00", "T01"), *("" for _ in columns)))
    first, second = read_csv(csv(full, empty, header=head), "m", NOW, created_at=7)
    assert first.quality is Quality.ESTIMATED
    assert first.created_at == (1706745600_500000 if "created_at" in columns else 7)
    assert (second.quality, second.created_at) == (Quality.MEASURED, 7)


@pytest.mark.parametrize("extra", ["quality,quality", "color", "quality,created_at,quality", "Quality"])
def test_other_columns_are_refused(extra: str) -> None:
    assert problems_of(csv(ROW, header=f"{HEADER.decode().strip()},{extra}"))[0].place == "line 1"


def test_a_reading_was_made_when_it_says_else_when_its_upload_says_else_now() -> None:
    own = ENTRY | {"created_at": "2024-03-01T00:00:00Z", "quality": "faulty"}
    first, second = read_entries([own, ENTRY | {"timestamp": "2024-01-01T01:00:00Z"}], NOW, created_at=7)
    assert (first.created_at, first.quality) == (to_micros(datetime(2024, 3, 1, tzinfo=UTC)), Quality.FAULTY)
    assert (second.created_at, second.quality) == (7, Quality.MEASURED)
    assert read_entries([ENTRY], NOW)[0].created_at == to_micros(NOW)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("created_at", "2026-01-02T00:00:01Z", "must be at most a day ahead of now"),
        ("created_at", "yesterday", "must be an instant such as 2024-01-31T12:00:00Z"),
        ("created_at", 7, "must be a JSON string"),
        ("quality", "good", "must be one of measured, estimated, substituted, preliminary, faulty"),
        ("quality", 7, "must be one of measured, estimated, substituted, preliminary, faulty"),
        ("quality", [], "must be one of measured, estimated, substituted, preliminary, faulty"),
    ],
)
def test_a_bad_quality_or_created_at_is_named(field: str, value: Any, message: str) -> None:
    assert entry_problems(ENTRY | {field: value}) == [Problem(f"readings.0.{field}", message)]


def test_readings_of_one_timestamp_made_at_different_instants_are_no_conflict() -> None:
    later = ENTRY | {"created_at": "2024-03-01T00:00:00Z", "power_kw": 7}
    assert len(read_entries([ENTRY, later], NOW)) == 2
    other_quality = ENTRY | {"quality": "estimated"}
    assert entry_problems(ENTRY, other_quality)[0].place == "readings.1"


def test_more_hours_than_an_upload_may_touch_are_refused() -> None:
    rows = [
        ROW.replace(
            "2024-01-01T00", f"{2000 + day // 300}-{1 + day % 300 // 28:02}-{1 + day % 28:02}T{hour:02}"
        )
        for day in range(MAX_HOURS // 24 + 1)
        for hour in range(24)
    ]
    assert "different hours" in problems_of(csv(*rows))[0].message


def test_json_numbers_keep_their_text() -> None:
    (reading,) = read_entries([ENTRY], NOW)
    assert reading.values == ("0.10", "6.0", "230", "-0.5")


@pytest.mark.parametrize(
    ("number", "text"), [(1e-05, "0.00001"), (Decimal("1E+2"), "100"), (Decimal("-0"), "-0")]
)
def test_an_exponent_is_written_out(number: float | Decimal, text: str) -> None:
    (reading,) = read_entries([ENTRY | {"energy_kwh": number}], NOW)
    assert reading.energy_kwh == text


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (1, "readings.1"),
        ([], "readings.1"),
        ({}, "readings.1.timestamp"),
        (ENTRY | {"extra": 1}, "readings.1.extra"),
        (ENTRY | {"timestamp": 1}, "readings.1.timestamp"),
        (ENTRY | {"timestamp": None}, "readings.1.timestamp"),
        (ENTRY | {"energy_kwh": True}, "readings.1.energy_kwh"),
        (ENTRY | {"energy_kwh": [1]}, "readings.1.energy_kwh"),
        (ENTRY | {"energy_kwh": float("nan")}, "readings.1.energy_kwh"),
        (ENTRY | {"energy_kwh": Decimal("NaN")}, "readings.1.energy_kwh"),
        (ENTRY | {"energy_kwh": Decimal("1e999999")}, "readings.1.energy_kwh"),
        (ENTRY | {"energy_kwh": 10**10}, "readings.1.energy_kwh"),
        (ENTRY | {"energy_kwh": " 1"}, "readings.1.energy_kwh"),
    ],
)
def test_a_bad_entry_is_named_by_its_place(entry: Any, place: str) -> None:
    assert entry_problems(ENTRY, entry)[0].place == place
