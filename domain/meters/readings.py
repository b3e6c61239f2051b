"""Smart meters and their readings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

# No id can begin a formula where a spreadsheet opens the file.
METER_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_METER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)

VALUES = ("energy_kwh", "power_kw", "voltage_v", "current_a")

_SECOND = timedelta(seconds=1)


class MeterKind(StrEnum):
    """Where a meter's readings come from."""

    METERED = "metered"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Meter:
    """A smart meter: its readings are stored, or made by `domain.meters.simulation` when asked for.

    It is expected to send a reading every `interval_seconds`, and its days are those of `timezone`, an IANA name.
    """

    id: str
    kind: MeterKind
    created_at: datetime
    interval_seconds: int | None = None
    timezone: str | None = None


class Quality(StrEnum):
    """How the values of a reading came about."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    SUBSTITUTED = "substituted"
    PRELIMINARY = "preliminary"
    FAULTY = "faulty"


class Reading(NamedTuple):
    """What a meter measured in the interval that begins at a whole second, as its sender states it.

    `timestamp` is text such as `2024-01-01T00:00:00Z`, whose order is the order of time. The values are
    decimal text, empty where there is none: a number that is parsed and formatted again may change.
    `created_at` is when the sender made the reading, in microseconds since 1970.
    """

    timestamp: str
    energy_kwh: str
    power_kw: str
    voltage_v: str
    current_a: str
    quality: Quality
    created_at: int

    @property
    def values(self) -> tuple[str, ...]:
        """The four values, in the order of `VALUES`."""
        return self[1:5]


class Interval(NamedTuple):
    """From `start` up to, but without, `end`."""

    start: datetime
    end: datetime

    @property
    def timestamps(self) -> tuple[bytes, bytes]:
        """The interval's limits as the timestamps of lines, which have whole seconds."""
        return _timestamp_from(self.start), _timestamp_from(self.end)


def _timestamp_from(instant: datetime) -> bytes:
    """Return the timestamp of the first whole second that is not before `instant`."""
    whole = instant.replace(microsecond=0)
    return format_timestamp(whole if whole == instant else whole + _SECOND).encode()


class MeterNotFoundError(Exception):
    """No meter has this id."""

    def __init__(self, meter_id: str) -> None:
        super().__init__(f"Smart meter '{meter_id}' not found.")


class MeterIsSimulatedError(Exception):
    """The readings of this meter are made by a generator; it stores none."""

    def __init__(self, meter_id: str) -> None:
        super().__init__(f"Smart meter '{meter_id}' is simulated and stores no readings.")


def is_meter_id(text: str) -> bool:
    """Return whether `text` may name a meter: a letter or digit, then up to 63 of `A-Z a-z 0-9 _ -`."""
    return _METER_ID.fullmatch(text) is not None


def format_timestamp(at: datetime) -> str:
    """Write a whole second as the timestamp of a reading: `2024-01-01T00:00:00Z`."""
    return at.astimezone(UTC).isoformat()[:19] + "Z"


def hour_of(at: datetime) -> str:
    """Return the name of the hour that `at` lies in: `2024-01-01T00`."""
    return at.astimezone(UTC).isoformat()[:13]


def same_values(some: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether the values of two readings are the same numbers, however they are written."""
    return some == others or (len(some) == len(others) and all(map(_is_equal, some, others)))


def _is_equal(one: str, other: str) -> bool:
    return one == other or (one != "" and other != "" and Decimal(one) == Decimal(other))
