"""Smart meters and what they measured, as lines of the one CSV form that is stored and exported.

A block is the lines of one meter's hour in the order of time. Blocks are what is stored, so that an
export is little more than writing them one after another. Every line is ASCII, needs no quotes, and
begins with a timestamp of 20 characters whose order as text is the order of time.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

# No id can begin a formula where a spreadsheet opens the file.
METER_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_METER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)

VALUES = ("energy_kwh", "power_kw", "voltage_v", "current_a")
COLUMNS = ("timestamp", "smart_meter_id", *VALUES)
HEADER = (",".join(COLUMNS) + "\r\n").encode()

_STAMP = 20
_SECOND = timedelta(seconds=1)


class MeterKind(StrEnum):
    """Where a meter's readings come from."""

    METERED = "metered"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Meter:
    """A smart meter: its readings are stored, or made by `domain.meters.simulation` when asked for."""

    id: str
    kind: MeterKind
    created_at: datetime


class Reading(NamedTuple):
    """What a meter measured in the interval that begins at `at`, a whole second.

    The values are decimal text, kept as it came: a number that is read and printed again may change.
    """

    at: datetime
    energy_kwh: str
    power_kw: str
    voltage_v: str
    current_a: str


class Interval(NamedTuple):
    """From `start` up to, but without, `end`."""

    start: datetime
    end: datetime

    @property
    def stamps(self) -> tuple[bytes, bytes]:
        """The interval's borders as the timestamps of lines, which have whole seconds."""
        return _stamp_from(self.start), _stamp_from(self.end)


def _stamp_from(instant: datetime) -> bytes:
    """Return the timestamp of the first whole second that is not before `instant`."""
    whole = instant.replace(microsecond=0)
    return stamp(whole if whole == instant else whole + _SECOND).encode()


class MeterNotFoundError(Exception):
    """No meter has this id."""

    def __init__(self, meter_id: str) -> None:
        super().__init__(f"Smart meter '{meter_id}' not found.")


class MeterIsSimulatedError(Exception):
    """The readings of this meter are made by a generator; it stores none."""

    def __init__(self, meter_id: str) -> None:
        super().__init__(f"Smart meter '{meter_id}' is simulated and stores no readings.")


def is_meter_id(text: str) -> bool:
    """Tell whether `text` may name a meter: a letter or digit, then up to 63 of `A-Z a-z 0-9 _ -`."""
    return _METER_ID.fullmatch(text) is not None


def stamp(at: datetime) -> str:
    """Write a whole second as lines begin with it: `2024-01-01T00:00:00Z`."""
    return at.astimezone(UTC).isoformat()[:19] + "Z"


def hour_of(at: datetime) -> str:
    """Return the name of the hour that `at` lies in: `2024-01-01T00`."""
    return at.astimezone(UTC).isoformat()[:13]


def format_line(meter_id: str, reading: Reading) -> bytes:
    """Write `reading` as a line of an export."""
    return f"{stamp(reading.at)},{meter_id},{','.join(reading[1:])}\r\n".encode()


def read_line(line: bytes) -> Reading:
    """Read a line that `format_line` wrote."""
    at, _, *values = line.decode().rstrip("\r\n").split(",")
    return Reading(datetime.fromisoformat(at), *values)


class Merged(NamedTuple):
    """A block with new lines in it, how many timestamps are new, and how many have changed."""

    block: bytes
    stored: int
    updated: int


def blocks_of(meter_id: str, readings: Iterable[Reading]) -> dict[str, list[bytes]]:
    """Return the lines of `readings` by the hour they belong to, in the order given."""
    hours: dict[str, list[bytes]] = {}
    for reading in readings:
        hours.setdefault(hour_of(reading.at), []).append(format_line(meter_id, reading))
    return hours


def merge(block: bytes, lines: Iterable[bytes]) -> Merged:
    """Put `lines` of the same hour into `block`; the last line of a timestamp wins."""
    before = {line[:_STAMP]: line for line in block.splitlines(keepends=True)}
    new = {line[:_STAMP]: line for line in lines}
    after = before | new
    return Merged(
        block=b"".join(after[at] for at in sorted(after)),
        stored=len(after) - len(before),
        updated=sum(before.get(at, line) != line for at, line in new.items()),
    )


def clip(block: bytes, first: bytes, end: bytes) -> bytes:
    """Return the lines of `block` from the timestamp `first` up to, but without, `end`."""
    last_line = block.rfind(b"\n", 0, -1) + 1
    if block[:_STAMP] >= first and block[last_line : last_line + _STAMP] < end:
        return block
    return b"".join(line for line in block.splitlines(keepends=True) if first <= line[:_STAMP] < end)


class Resolution(StrEnum):
    """How closely readings are shown."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"


_PERIODS: Mapping[Resolution, tuple[int, str]] = {
    # As much of a timestamp as names the period, and what completes it to its beginning.
    Resolution.HOUR: (13, ":00:00+00:00"),
    Resolution.DAY: (10, "T00:00:00+00:00"),
}
_MEAN_STEP = Decimal("0.000001")


class Summary(NamedTuple):
    """The readings of one UTC hour or day: energy in sum, the rest in the mean, and how many they are."""

    at: datetime
    energy_kwh: Decimal
    power_kw: Decimal
    voltage_v: Decimal
    current_a: Decimal
    readings: int


def summarise(blocks: Iterable[bytes], resolution: Resolution) -> Iterator[Summary]:
    """Sum up the lines of `blocks`, which are in the order of time, by hour or by day."""
    length, rest = _PERIODS[resolution]
    lines = (line for block in blocks for line in block.decode().splitlines())
    for period, group in groupby(lines, lambda line: line[:length]):
        rows = [tuple(map(Decimal, line.split(",")[2:])) for line in group]
        energy, *totals = (sum(column, Decimal(0)) for column in zip(*rows, strict=True))
        power, voltage, current = ((total / len(rows)).quantize(_MEAN_STEP) for total in totals)
        yield Summary(datetime.fromisoformat(period + rest), energy, power, voltage, current, len(rows))
