"""What uploads of readings have in common: they are validated as a whole, and refused with the place of each mistake."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from domain.instants import MalformedTimeError, parse_instant, to_micros, whole_milliseconds
from domain.meters.decimals import DECIMAL_RULE, read_decimal
from domain.meters.readings import VALUES, Quality, Reading, format_timestamp, same_values

MAX_BAD_LINES = 20
"""How many lines, or entries of a list, are reported with their mistakes."""
MAX_HOURS = 9000
"""Hours that one upload may change: a year and a few days. Each costs a write."""
MAX_STORED_READINGS = 1_000_000
"""Readings that may be stored in the hours that one request changes: these hours are rewritten."""
MAX_AHEAD = timedelta(days=1)
"""How far a timestamp, or the instant a reading was made at, may lie in the future."""

# Almost all timestamps are like this, and need no further check: days that every month has, in UTC.
PLAIN_TIMESTAMP = r"20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
_PLAIN = re.compile(PLAIN_TIMESTAMP, re.ASCII)
_QUALITIES = {"": Quality.MEASURED} | {quality.value: quality for quality in Quality}
_QUALITY_RULE = f"must be one of {', '.join(Quality)}"
_NO_VALUE_RULE = f"must have at least one of {', '.join(VALUES)}"


class Problem(NamedTuple):
    """One mistake, and where it is: a line of a file, or an entry and field of a list."""

    place: str
    message: str


class InvalidReadingsError(Exception):
    """An upload that is not stored, with its first mistakes."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(f"{problems[0].place}: {problems[0].message}")


class TooManyReadingsError(InvalidReadingsError):
    """A request that would change hours with more readings than one request may rewrite."""

    def __init__(self, place: str) -> None:
        rule = f"must touch hours with at most {MAX_STORED_READINGS} stored readings; send it in parts"
        super().__init__([Problem(place, rule)])


class Mistake(NamedTuple):
    """What is wrong with a line or an entry; `field` is empty if the mistake is not in one field."""

    field: str
    message: str


class MistakesError(ValueError):
    """All that is wrong with a line or an entry."""

    def __init__(self, *mistakes: Mistake) -> None:
        self.mistakes = mistakes


class Fields(NamedTuple):
    """The fields of a reading as they were sent; values as text, empty if absent."""

    timestamp: object
    values: Sequence[str]
    quality: object = ""
    created_at: object = ""


class ReadingParser:
    """Reads the fields of readings that are sent at `now`, with `created_at` as the default of theirs."""

    def __init__(self, now: datetime, created_at: int | None = None) -> None:
        self.latest = now + MAX_AHEAD
        self.latest_timestamp = format_timestamp(self.latest)
        self.created_at = whole_milliseconds(to_micros(now)) if created_at is None else created_at
        self._instants: dict[object, int] = {"": self.created_at}

    def parse(self, fields: Fields, mistakes: list[Mistake]) -> Reading:
        """Read a reading.

        Raises:
            MistakesError: with `mistakes` and those that are found here.
        """
        found = list(mistakes)
        timestamp = self._parse(found, "timestamp", self._timestamp, fields.timestamp)
        numbers = [read_decimal(value) if value else "" for value in fields.values]
        found += [
            Mistake(name, DECIMAL_RULE)
            for name, number in zip(VALUES, numbers, strict=True)
            if number is None
        ]
        if not any(fields.values):
            found.append(Mistake("", _NO_VALUE_RULE))
        quality = self._parse(found, "quality", parse_quality, fields.quality)
        created_at = self._parse(found, "created_at", self.parse_created_at, fields.created_at)
        if found:
            raise MistakesError(*found)
        return Reading(timestamp, *numbers, quality, created_at)  # type: ignore[arg-type,call-arg]  # else there would be mistakes

    @staticmethod
    def _parse(found: list[Mistake], field: str, parse: Callable[[Any], Any], value: object) -> Any:  # noqa: ANN401
        try:
            return parse(value)
        except ValueError as error:
            found.append(Mistake(field, str(error)))

    def _timestamp(self, value: object) -> str:
        if not isinstance(value, str):
            raise MalformedTimeError("must be a JSON string")
        if _PLAIN.fullmatch(value) and value <= self.latest_timestamp:
            return value
        at = parse_instant(value)
        if at.microsecond:
            raise MalformedTimeError("must be a whole second")
        if at > self.latest:
            raise MalformedTimeError("must be at most a day ahead of now")
        return format_timestamp(at)

    def parse_created_at(self, value: object) -> int:
        """Read the instant a reading was made at, in microseconds; empty text is the default.

        Raises:
            MalformedTimeError: it is not an instant, or more than a day ahead.
        """
        if not isinstance(value, str):
            raise MalformedTimeError("must be a JSON string")
        # Most readings of an upload were made at the same instant.
        known = self._instants.get(value)
        if known is None:
            at = parse_instant(value)
            if at > self.latest:
                raise MalformedTimeError("must be at most a day ahead of now")
            known = self._instants[value] = to_micros(at)
        return known


def parse_quality(value: object) -> Quality:
    """Read a quality; empty text is the default.

    Raises:
        ValueError: there is no such quality.
    """
    quality = _QUALITIES.get(value) if isinstance(value, str) else None
    if quality is None:
        raise ValueError(_QUALITY_RULE)
    return quality


def read_all(
    sources: Iterable[tuple[int, Any]],
    read: Callable[[Any], Reading],
    place_of: Callable[[int], str],
    problem_of: Callable[[int, Mistake], Problem],
) -> list[Reading]:
    """Read numbered lines or entries into readings.

    Raises:
        InvalidReadingsError: with every mistake of the first bad ones.
    """
    readings: list[Reading] = []
    numbers: list[int] = []
    problems: list[tuple[int, Problem]] = []
    bad = 0
    for number, source in sources:
        try:
            readings.append(read(source))
            numbers.append(number)
        except MistakesError as error:
            problems += [(number, problem_of(number, mistake)) for mistake in error.mistakes]
            bad += 1
            if bad == MAX_BAD_LINES:
                break
    rule = "must not differ from {}, which has the same timestamp and created_at"
    problems += [
        (numbers[later], Problem(place_of(numbers[later]), rule.format(place_of(numbers[first]))))
        for first, later in islice(_conflicts(readings), MAX_BAD_LINES - bad)
    ]
    if problems:
        raise InvalidReadingsError([problem for _, problem in sorted(problems, key=itemgetter(0))])
    if len({reading[0][:13] for reading in readings}) > MAX_HOURS:
        raise InvalidReadingsError([Problem("readings", f"must lie in at most {MAX_HOURS} different hours")])
    return readings


def _conflicts(readings: Sequence[Reading]) -> Iterator[tuple[int, int]]:
    """Yield the indexes of readings with the same timestamp and `created_at` but different values."""
    if len({reading[0] for reading in readings}) == len(readings):
        return
    firsts: dict[tuple[str, int], int] = {}
    for index, reading in enumerate(readings):
        first = firsts.setdefault((reading.timestamp, reading.created_at), index)
        other = readings[first]
        if other.quality != reading.quality or not same_values(other.values, reading.values):
            yield first, index
