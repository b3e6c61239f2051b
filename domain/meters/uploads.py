"""Readings as their senders write them: read whole, and refused with the place of each mistake."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from domain.instants import MalformedTimeError, parse_instant
from domain.meters.decimals import DECIMAL_RULE, read_decimal
from domain.meters.readings import COLUMNS, VALUES, Reading, hour_of, same_values

MOST_BAD_LINES = 20
"""Lines, or entries of a list, whose mistakes are named."""
MAX_HOURS = 9000
"""Hours that one upload may touch: a year and a few days. Each costs a write."""
MOST_AHEAD = timedelta(days=1)
"""How far a timestamp may lie in the future."""

# Almost all timestamps are like this, and need no further check: days that every month has, in UTC.
_PLAIN_INSTANT = re.compile(
    r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII
)
_FIELDS = ("timestamp", *VALUES)


class Problem(NamedTuple):
    """One mistake, and where it is: a line of a file, or an entry and field of a list."""

    place: str
    message: str


class InvalidReadingsError(Exception):
    """An upload that is not stored, with its first mistakes."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(f"{problems[0].place}: {problems[0].message}")


class _Mistake(NamedTuple):
    """What is wrong with a line or an entry; `field` is empty where it is all of it."""

    field: str
    message: str


class _MistakesError(ValueError):
    def __init__(self, *mistakes: _Mistake) -> None:
        self.mistakes = mistakes


def read_csv(text: str, meter_id: str, now: datetime) -> list[Reading]:
    """Read a file with the export's columns; its lines may end with CRLF or LF.

    No field can hold a line break: a quote that is open at the end of its line is a mistake of that line.

    Raises:
        InvalidReadingsError: with the numbers of the lines that are wrong; the header is line 1.
    """
    header, *lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not _is_header(header):
        raise InvalidReadingsError([Problem("line 1", f"must be {','.join(COLUMNS)}")])
    return _read_all(
        ((number, line) for number, line in enumerate(lines, start=2) if line),
        lambda line: _reading_of_line(line, meter_id, now + MOST_AHEAD),
        lambda number: f"line {number}",
        lambda number, mistake: Problem(f"line {number}", f"{mistake.field} {mistake.message}".strip()),
    )


def _is_header(line: str) -> bool:
    try:
        return _fields_of(line) == list(COLUMNS)
    except _MistakesError:
        return False


def _fields_of(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise _MistakesError(_Mistake("", "must be a line of RFC 4180, with every quote closed")) from error


def _reading_of_line(line: str, meter_id: str, latest: datetime) -> Reading:
    fields = _fields_of(line)
    if len(fields) != len(COLUMNS):
        raise _MistakesError(_Mistake("", f"must have {len(COLUMNS)} fields"))
    at, line_meter_id, *values = fields
    mistakes: list[_Mistake] = []
    if line_meter_id != meter_id:
        mistakes.append(_Mistake("smart_meter_id", "must be the meter that the readings are sent to"))
    return _reading_of(at, values, latest, mistakes)


def read_entries(entries: Sequence[object], now: datetime) -> list[Reading]:
    """Read a JSON list of readings, whose numbers are numbers or decimal text.

    Raises:
        InvalidReadingsError: with the places of what is wrong, such as `readings.0.energy_kwh`.
    """
    return _read_all(
        enumerate(entries),
        lambda entry: _reading_of_entry(entry, now + MOST_AHEAD),
        lambda index: f"readings.{index}",
        lambda index, mistake: Problem(f"readings.{index}.{mistake.field}".rstrip("."), mistake.message),
    )


def _reading_of_entry(entry: object, latest: datetime) -> Reading:
    if not isinstance(entry, Mapping):
        raise _MistakesError(_Mistake("", "must be a JSON object"))
    # One unknown field is named, not thousands of them.
    unknown = islice((name for name in entry if name not in _FIELDS), 1)
    mistakes = [_Mistake(str(name)[:64], "is not a field of this") for name in unknown]
    mistakes += [_Mistake(name, "Field required") for name in _FIELDS if name not in entry]
    if mistakes:
        raise _MistakesError(*mistakes)
    return _reading_of(entry["timestamp"], [_text_of(entry[name]) for name in VALUES], latest, mistakes)


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return str(value) if is_number else ""


def _reading_of(at: object, values: list[str], latest: datetime, mistakes: list[_Mistake]) -> Reading:
    """Read a timestamp and four numbers.

    Raises:
        _MistakesError: with `mistakes` and those that are found here.
    """
    read_at = _read_at(at, latest)
    if isinstance(read_at, _Mistake):
        mistakes.append(read_at)
    numbers = [read_decimal(value) for value in values]
    mistakes += [
        _Mistake(name, DECIMAL_RULE) for name, number in zip(VALUES, numbers, strict=True) if number is None
    ]
    if mistakes:
        raise _MistakesError(*mistakes)
    return Reading(read_at, *numbers)  # type: ignore[arg-type]  # else there would be mistakes


def _read_at(value: object, latest: datetime) -> datetime | _Mistake:
    if not isinstance(value, str):
        return _Mistake("timestamp", "must be a JSON string")
    try:
        plain = _PLAIN_INSTANT.fullmatch(value)
        at = datetime.fromisoformat(value) if plain else parse_instant(value)
    except MalformedTimeError as error:
        return _Mistake("timestamp", str(error))
    if at.microsecond:
        return _Mistake("timestamp", "must be a whole second")
    if at > latest:
        return _Mistake("timestamp", "must be at most a day ahead of now")
    return at


def _read_all(
    sources: Iterable[tuple[int, Any]],
    read: Callable[[Any], Reading],
    place_of: Callable[[int], str],
    problem_of: Callable[[int, _Mistake], Problem],
) -> list[Reading]:
    """Read numbered lines or entries into readings.

    Raises:
        InvalidReadingsError: with every mistake of the first bad ones.
    """
    readings: list[Reading] = []
    numbers: list[int] = []
    problems: list[Problem] = []
    bad = 0
    for number, source in sources:
        try:
            readings.append(read(source))
            numbers.append(number)
        except _MistakesError as error:
            problems += [problem_of(number, mistake) for mistake in error.mistakes]
            bad += 1
            if bad == MOST_BAD_LINES:
                break
    problems = problems or _problems_of_all(readings, lambda index: place_of(numbers[index]))
    if problems:
        raise InvalidReadingsError(problems)
    return readings


def _problems_of_all(readings: Sequence[Reading], place_of: Callable[[int], str]) -> list[Problem]:
    if not readings:
        return [Problem("readings", "must hold at least one reading")]
    if len({hour_of(reading.at) for reading in readings}) > MAX_HOURS:
        return [Problem("readings", f"must lie in at most {MAX_HOURS} different hours")]
    return [
        Problem(place_of(later), f"must not differ from {place_of(first)}, which has the same timestamp")
        for first, later in islice(_conflicts(readings), MOST_BAD_LINES)
    ]


def _conflicts(readings: Sequence[Reading]) -> Iterator[tuple[int, int]]:
    """Give the indexes of readings that say different things about one timestamp."""
    firsts: dict[datetime, int] = {}
    for index, reading in enumerate(readings):
        first = firsts.setdefault(reading.at, index)
        if first != index and not same_values(readings[first][1:], reading[1:]):
            yield first, index
