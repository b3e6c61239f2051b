"""Readings as their senders write them: read whole, and refused with the place of each mistake."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import Any, NamedTuple

from domain.instants import MalformedTimeError, parse_instant
from domain.meters.readings import COLUMNS, VALUES, Reading, hour_of

MAX_PROBLEMS = 20
MAX_HOURS = 9000
"""Hours that one upload may touch: a year and a few days. Each costs a write."""

# Exactly what JSON knows as a number, without an exponent.
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,18})?")
_NOT_DECIMAL = "must be a decimal number such as 0.25, with at most 9 digits before the point and 18 after it"


class Problem(NamedTuple):
    """One mistake, and where it is: a line of a file, or an entry and field of a list."""

    place: str
    message: str


class InvalidReadingsError(Exception):
    """An upload that is not stored, with the first of its mistakes."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems[:MAX_PROBLEMS]
        super().__init__(f"{problems[0].place}: {problems[0].message}")


class _MistakeError(ValueError):
    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field} {message}")


def read_csv(text: str, meter_id: str) -> list[Reading]:
    """Read a file with the export's columns; its lines may end with CRLF or LF.

    Raises:
        InvalidReadingsError: with the numbers of the lines that are wrong; the header is line 1.
    """
    rows = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    readings: list[Reading] = []
    problems: list[Problem] = []
    header = _next_row(rows, problems)
    if not problems and header != list(COLUMNS):
        raise InvalidReadingsError([Problem("line 1", f"must be {','.join(COLUMNS)}")])
    while len(problems) < MAX_PROBLEMS and (row := _next_row(rows, problems)) is not None:
        try:
            if row:
                readings.append(_reading_of_row(row, meter_id))
        except _MistakeError as mistake:
            problems.append(Problem(f"line {rows.line_num}", str(mistake)))
    return _accept(readings, problems)


def _next_row(rows: Any, problems: list[Problem]) -> list[str] | None:  # noqa: ANN401 - csv's reader has no name
    try:
        return next(rows, None)
    except csv.Error:
        problems.append(Problem(f"line {rows.line_num}", "must be a line of RFC 4180"))
        return None


def _reading_of_row(row: list[str], meter_id: str) -> Reading:
    if len(row) != len(COLUMNS):
        raise _MistakeError("must", f"have {len(COLUMNS)} fields")
    at, row_meter_id, *values = row
    if row_meter_id != meter_id:
        raise _MistakeError("smart_meter_id", "must be the meter that the readings are sent to")
    return Reading(_read_at(at), *map(_read_decimal, VALUES, values))


def read_entries(entries: Iterable[object]) -> list[Reading]:
    """Read a JSON list of readings, whose numbers are numbers or decimal text.

    Raises:
        InvalidReadingsError: with the places of what is wrong, such as `readings.0.energy_kwh`.
    """
    readings: list[Reading] = []
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        try:
            readings.append(_reading_of_entry(entry))
        except _MistakeError as mistake:
            place = f"readings.{index}.{mistake.field}".rstrip(".")
            problems.append(Problem(place, mistake.message))
            if len(problems) == MAX_PROBLEMS:
                break
    return _accept(readings, problems)


def _reading_of_entry(entry: object) -> Reading:
    if not isinstance(entry, Mapping):
        raise _MistakeError("", "must be a JSON object")
    fields = ("timestamp", *VALUES)
    for name in entry:
        if name not in fields:
            raise _MistakeError(str(name)[:64], "is not a field of this")
    for name in fields:
        if name not in entry:
            raise _MistakeError(name, "Field required")
    return Reading(_read_at(entry["timestamp"]), *(_read_decimal(name, entry[name]) for name in VALUES))


def _read_at(value: object) -> datetime:
    if not isinstance(value, str):
        raise _MistakeError("timestamp", "must be a JSON string")
    try:
        at = parse_instant(value)
    except MalformedTimeError as error:
        raise _MistakeError("timestamp", str(error)) from error
    if at.microsecond:
        raise _MistakeError("timestamp", "must be a whole second")
    return at


def _read_decimal(field: str, value: object) -> str:
    """Return the decimal text of a value; text is kept as it is, a number with an exponent is written out."""
    text = value if isinstance(value, str) else _text_of(field, value)
    if _DECIMAL.fullmatch(text) is None:
        raise _MistakeError(field, _NOT_DECIMAL)
    return text


def _text_of(field: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _MistakeError(field, _NOT_DECIMAL)
    number = Decimal(str(value))
    # An exponent of a thousand would become a thousand digits before anybody counts them.
    if not number.is_finite() or not -_MAX_DECIMAL_PLACES <= number.adjusted() <= _MAX_DECIMAL_PLACES:
        raise _MistakeError(field, _NOT_DECIMAL)
    return f"{number:f}"


_MAX_DECIMAL_PLACES = 20


def _accept(readings: list[Reading], problems: list[Problem]) -> list[Reading]:
    if not problems and not readings:
        problems = [Problem("readings", "must hold at least one reading")]
    if not problems and len(set(_hours(readings))) > MAX_HOURS:
        problems = [Problem("readings", f"must lie in at most {MAX_HOURS} different hours")]
    if problems:
        raise InvalidReadingsError(problems)
    return readings


def _hours(readings: Iterable[Reading]) -> Iterator[str]:
    return (hour_of(reading.at) for reading in readings)
