"""Readings that are uploaded as CSV, with the columns of an export."""

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from domain.meters.csv_format import COLUMNS, ExtraColumn
from domain.meters.decimals import SHORT_DECIMAL
from domain.meters.readings import Reading
from domain.meters.uploads import (
    PLAIN_TIMESTAMP,
    Fields,
    InvalidReadingsError,
    Mistake,
    MistakesError,
    Problem,
    ReadingParser,
    parse_quality,
    read_all,
)

_HEADER_RULE = f"must be {','.join(COLUMNS)}, and after them quality or created_at or both"


def read_csv(text: str, meter_id: str, now: datetime, created_at: int | None = None) -> list[Reading]:
    """Read a file with the export's columns; its lines may end with CRLF or LF.

    The columns quality and created_at may follow; without them, readings were measured, and created at `created_at`.
    No field can hold a line break: a quote that is open at the end of its line is a mistake of that line.
    A file without readings, which an export may be, gives none.

    Raises:
        InvalidReadingsError: with the numbers of the lines that are wrong; the header is line 1.
    """
    header, *lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    extra = _extra_columns(header)
    if extra is None:
        raise InvalidReadingsError([Problem("line 1", _HEADER_RULE)])
    reader = _LineReader(meter_id, extra, ReadingParser(now, created_at))
    return read_all(
        ((number, line) for number, line in enumerate(lines, start=2) if line),
        reader.read,
        lambda number: f"line {number}",
        lambda number, mistake: Problem(f"line {number}", f"{mistake.field} {mistake.message}".strip()),
    )


def _extra_columns(header: str) -> list[str] | None:
    """Return the columns that a header names after those of every file, or None if it is not a header."""
    try:
        names = _fields_of(header)
    except MistakesError:
        return None
    extra = names[len(COLUMNS) :]
    is_header = tuple(names[: len(COLUMNS)]) == COLUMNS and set(extra) <= set(ExtraColumn)
    return extra if is_header and len(set(extra)) == len(extra) else None


def _fields_of(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise MistakesError(Mistake("", "must be a line of RFC 4180, with every quote closed")) from error


@lru_cache(maxsize=16)
def _plain_line(meter_id: str) -> re.Pattern[str]:
    """Return the form of almost all lines, which need no further check."""
    values = rf",({SHORT_DECIMAL}|)" * 4
    return re.compile(rf"({PLAIN_TIMESTAMP}),{re.escape(meter_id)}{values}", re.ASCII)


class _LineReader:
    """Reads the lines of one file."""

    def __init__(self, meter_id: str, extra: Sequence[str], parser: ReadingParser) -> None:
        self.meter_id = meter_id
        self.extra = extra
        self.parser = parser
        self.plain = _plain_line(meter_id)
        self.defaults = (parse_quality(""), parser.created_at)

    def read(self, line: str) -> Reading:
        """Read a line.

        Raises:
            MistakesError: with all that is wrong with it.
        """
        plain = None if self.extra else self.plain.fullmatch(line)
        if plain is not None:
            timestamp, energy, power, voltage, current = plain.groups()
            if timestamp <= self.parser.latest_timestamp and (energy or power or voltage or current):
                return Reading(timestamp, energy, power, voltage, current, *self.defaults)
        fields = _fields_of(line)
        count = len(COLUMNS) + len(self.extra)
        if len(fields) != count:
            raise MistakesError(Mistake("", f"must have {count} fields"))
        timestamp, meter_id, *values = fields[: len(COLUMNS)]
        mistakes: list[Mistake] = []
        if meter_id != self.meter_id:
            mistakes.append(Mistake("smart_meter_id", "must be the meter that the readings are sent to"))
        extra = dict(zip(self.extra, fields[len(COLUMNS) :], strict=True))
        return self.parser.parse(Fields(timestamp, values, **extra), mistakes)
