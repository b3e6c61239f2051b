"""Uploads: the good read as they stand, the bad refused with the place of each mistake."""

from decimal import Decimal
from typing import Any

import pytest

from domain.meters.readings import HEADER
from domain.meters.uploads import MAX_HOURS, InvalidReadingsError, Problem, read_csv, read_entries

ROW = "2024-01-01T00:00:00Z,m,0.10,6.0,230,-0.5"
ENTRY = {
    "timestamp": "2024-01-01T00:00:00Z",
    "energy_kwh": Decimal("0.10"),
    "power_kw": "6.0",
    "voltage_v": 230,
    "current_a": -0.5,
}


def csv(*rows: str, header: str = HEADER.decode().strip(), end: str = "\r\n") -> str:
    return end.join([header, *rows, ""])


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(InvalidReadingsError) as refused:
        read_csv(text, "m")
    return refused.value.problems


def entry_problems(*entries: Any) -> list[Problem]:
    with pytest.raises(InvalidReadingsError) as refused:
        read_entries(entries)
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
    (reading,) = read_csv(text, "m")
    assert reading[1:] == ("0.10", "6.0", "230", "-0.5")
    assert reading.at.isoformat() == "2024-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("T", " ", 1), "timestamp must be an instant such as 2024-01-31T12:00:00Z"),
        (ROW.replace("00Z", "00.5Z"), "timestamp must be a whole second"),
        (ROW.replace("2024-01-01", "2023-02-29"), "timestamp must be an instant that exists"),
        (ROW.replace("2024", "1999"), "timestamp must lie in the years 2000 to 2100"),
        (ROW.replace(",m,", ",other,"), "smart_meter_id must be the meter that the readings are sent to"),
        (ROW.replace("0.10", "=1+1"), "energy_kwh must be a decimal number"),
        (ROW.replace("0.10", ""), "energy_kwh must be a decimal number"),
        (ROW.replace("0.10", "0,10"), "must have 6 fields"),
        (ROW.replace("6.0", "6."), "power_kw must be a decimal number"),
        (ROW.replace("6.0", ".6"), "power_kw must be a decimal number"),
        (ROW.replace("6.0", "06.0"), "power_kw must be a decimal number"),
        (ROW.replace("230", "NaN"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "1e3"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "٢٣٠"), "voltage_v must be a decimal number"),
        (ROW.replace("230", "1234567890"), "voltage_v must be a decimal number"),
        (ROW.replace("-0.5", "0." + "1" * 19), "current_a must be a decimal number"),
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


def test_the_first_twenty_mistakes_are_told() -> None:
    problems = problems_of(csv(*["x"] * 50))
    assert [problem.place for problem in problems] == [f"line {number}" for number in range(2, 22)]


@pytest.mark.parametrize("text", [csv(), HEADER.decode().strip()])
def test_a_file_without_readings_is_refused(text: str) -> None:
    assert problems_of(text) == [Problem("readings", "must hold at least one reading")]


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
    (reading,) = read_entries([ENTRY])
    assert reading[1:] == ("0.10", "6.0", "230", "-0.5")


@pytest.mark.parametrize(
    ("number", "text"), [(1e-05, "0.00001"), (Decimal("1E+2"), "100"), (Decimal("-0"), "-0")]
)
def test_an_exponent_is_written_out(number: float | Decimal, text: str) -> None:
    (reading,) = read_entries([ENTRY | {"energy_kwh": number}])
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
        (ENTRY | {"energy_kwh": None}, "readings.1.energy_kwh"),
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
    assert [problem.place for problem in entry_problems(ENTRY, entry)] == [place]
