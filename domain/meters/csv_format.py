"""The CSV format of readings: the lines that are stored, exported and uploaded.

Every line is ASCII, needs no quotes, ends with CRLF and begins with a timestamp of 20 characters whose order
as text is the order of time.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

from domain.instants import format_instant, from_micros
from domain.meters.readings import VALUES, Quality, Reading
from domain.meters.versions import Origin

COLUMNS = ("timestamp", "smart_meter_id", *VALUES)
HEADER = (",".join(COLUMNS) + "\r\n").encode()
TIMESTAMP_LENGTH = 20


class ExtraColumn(StrEnum):
    """A column that an export has if its request names it, and that an upload may have."""

    QUALITY = "quality"
    CREATED_AT = "created_at"


def header(columns: Sequence[ExtraColumn]) -> bytes:
    """Return the first line of a file that also has `columns`."""
    return (",".join((*COLUMNS, *columns)) + "\r\n").encode()


def format_line(meter_id: str, reading: Reading) -> bytes:
    """Write `reading` as a line, without what only extra columns show."""
    return f"{reading[0]},{meter_id},{','.join(reading[1:5])}\r\n".encode()


def values_of(line: bytes) -> tuple[str, ...]:
    """Return the four values of a line that `format_line` wrote; none of a timestamp alone."""
    return tuple(line.decode().rstrip("\r\n").split(",")[2:])


def read_line(line: bytes, created_at: int = 0, quality: Quality = Quality.MEASURED) -> Reading:
    """Read a line that `format_line` wrote; a line contains neither `created_at` nor quality."""
    timestamp, _, *values = line.decode().rstrip("\r\n").split(",")
    return Reading(timestamp, *values, quality, created_at)  # type: ignore[arg-type,call-arg]


def clip(lines: bytes, first: bytes, end: bytes) -> bytes:
    """Return those of `lines`, in the order of time, from the timestamp `first` up to, but without, `end`."""
    return lines if _lies_within(lines, first, end) else b"".join(split_clipped(lines, first, end)[0])


def split_clipped(lines: bytes, first: bytes, end: bytes) -> tuple[list[bytes], slice]:
    """Return the lines from `first` up to, but without, `end`, and their positions among all."""
    split = lines.splitlines(keepends=True)
    inside = [index for index, line in enumerate(split) if first <= line[:TIMESTAMP_LENGTH] < end]
    where = slice(inside[0], inside[-1] + 1) if inside else slice(0, 0)
    return split[where], where


def _lies_within(lines: bytes, first: bytes, end: bytes) -> bool:
    last_line = lines.rfind(b"\n", 0, -1) + 1
    return lines[:TIMESTAMP_LENGTH] >= first and lines[last_line : last_line + TIMESTAMP_LENGTH] < end


def append_columns(lines: bytes, origins: Sequence[Origin], columns: Sequence[ExtraColumn]) -> bytes:
    """Append the extra columns to `lines`; there is one origin for each line, or one for all."""
    endings: Mapping[Origin, bytes] = {
        origin: b"".join(b"," + _extra_text(origin, column).encode() for column in columns) + b"\r\n"
        for origin in set(origins)
    }
    if len(endings) == 1:
        return lines.replace(b"\r\n", endings[origins[0]])
    split = lines.split(b"\r\n")[:-1]
    return b"".join(line + endings[origin] for line, origin in zip(split, origins, strict=True))


def _extra_text(origin: Origin, column: ExtraColumn) -> str:
    if column is ExtraColumn.QUALITY:
        return origin.quality
    return "" if origin.created_at is None else format_instant(from_micros(origin.created_at))


def is_in_order(timestamps: Sequence[str]) -> bool:
    """Return whether each of `timestamps` is later than the one before it."""
    return all(one < other for one, other in pairwise(timestamps))
