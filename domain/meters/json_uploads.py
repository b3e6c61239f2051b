"""Readings that are sent as a list of JSON objects."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice

from domain.meters.readings import VALUES, Reading
from domain.meters.uploads import (
    Fields,
    InvalidReadingsError,
    Mistake,
    MistakesError,
    Problem,
    ReadingParser,
    read_all,
)

_FIELDS = ("timestamp", *VALUES, "quality", "created_at")
_NO_NUMBER = "not a number"


def read_entries(entries: Sequence[object], now: datetime, created_at: int | None = None) -> list[Reading]:
    """Read a JSON list of readings, whose numbers are numbers or decimal text.

    Readings that do not say when they were made were made at `created_at`, or `now`.

    Raises:
        InvalidReadingsError: with the places of what is wrong, such as `readings.0.energy_kwh`.
    """
    if not entries:
        raise InvalidReadingsError([Problem("readings", "must hold at least one reading")])
    parser = ReadingParser(now, created_at)
    return read_all(
        enumerate(entries),
        lambda entry: _reading_of(entry, parser),
        lambda index: f"readings.{index}",
        lambda index, mistake: Problem(f"readings.{index}.{mistake.field}".rstrip("."), mistake.message),
    )


def _reading_of(entry: object, parser: ReadingParser) -> Reading:
    if not isinstance(entry, Mapping):
        raise MistakesError(Mistake("", "must be a JSON object"))
    # One unknown field is named, not thousands of them.
    unknown = islice((name for name in entry if name not in _FIELDS), 1)
    mistakes = [Mistake(str(name)[:64], "is not a field of this") for name in unknown]
    if "timestamp" not in entry:
        mistakes.append(Mistake("timestamp", "Field required"))
    if mistakes:
        raise MistakesError(*mistakes)
    get = entry.get
    values = [_text_of(get(name)) for name in VALUES]
    return parser.parse(
        Fields(entry["timestamp"], values, _or_empty(get("quality")), _or_empty(get("created_at"))), []
    )


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _text_of(value: object) -> str:
    """Return a value as text, empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return str(value) if is_number else _NO_NUMBER
