"""Readings of a meter that does not exist: one a minute, the same whenever they are asked for.

The load follows the hours of a household's day, the weekend and the season. All arithmetic is on
whole numbers, so that every machine makes the same readings.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import shake_128

from domain.meters.csv_format import clip
from domain.meters.readings import Interval, hour_of

# Watts at each full hour; between them the load moves in a straight line.
# fmt: off
_WORKDAY = (190, 170, 160, 150, 150, 190, 380, 620, 470, 340, 310, 330,
            420, 360, 310, 310, 390, 620, 930, 1020, 870, 660, 430, 270)
_WEEKEND = (240, 200, 170, 160, 150, 160, 210, 320, 480, 620, 640, 680,
            820, 700, 560, 500, 540, 680, 900, 980, 860, 700, 520, 340)
# fmt: on
_SEASON_PERCENT = (125, 121, 111, 100, 92, 87, 85, 87, 93, 103, 114, 123)

INTERVAL_SECONDS = 60

_HOUR = timedelta(hours=1)
_MINUTES = tuple(f":{minute:02}:00Z," for minute in range(60))

# Power has steps of 10 W, voltage 16 steps of 0.2 V: few enough pairs to print each only once.
_LEAST_DECIVOLTS = 2284
_VOLTAGES = 16
_KETTLE = 180  # steps of power
_KETTLE_FROM = 250  # a random byte of this or more: it is on in 6 of 256 minutes
_AWAKE = range(6, 23)
_SATURDAY = 5


def simulate(meter_id: str, interval: Interval) -> Iterator[bytes]:
    """Make the blocks of the hours that `interval` touches, clipped to it."""
    first, end = interval.timestamps
    hour = interval.start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < interval.end:
        if block := clip(simulate_hour(meter_id, hour), first, end):
            yield block
        hour += _HOUR


def simulate_hour(meter_id: str, hour: datetime) -> bytes:
    """Make the block of `hour`, the beginning of an hour in UTC."""
    name = hour_of(hour)
    noise = shake_128(f"{meter_id} {name}".encode()).digest(2 * len(_MINUTES))
    loads = _loads(hour.weekday() >= _SATURDAY, hour.month, hour.hour)
    kettle = _KETTLE if hour.hour in _AWAKE else 0
    lines = _lines_of(meter_id)
    parts = []
    for minute, load, jitter, other in zip(_MINUTES, loads, noise[::2], noise[1::2], strict=True):
        level = load * (180 + jitter) >> 8
        if other >= _KETTLE_FROM:
            level += kettle
        parts.append(name + minute + lines[level * _VOLTAGES + other % _VOLTAGES])
    return "".join(parts).encode()


@cache
def _loads(weekend: bool, month: int, hour: int) -> tuple[int, ...]:
    """Return the usual load of each minute of an hour, in tens of watts."""
    day = _WEEKEND if weekend else _WORKDAY
    here, there = day[hour], day[(hour + 1) % 24]
    season = _SEASON_PERCENT[month - 1]
    return tuple((here * (60 - minute) + there * minute) * season // 60_000 for minute in range(60))


class _Lines(dict[int, str]):
    """What follows the timestamp of a meter's reading, by the number of its pair of power and voltage.

    Each is printed when it is first needed: a short export needs few, and a long one most of them many times.
    """

    def __init__(self, meter_id: str) -> None:
        super().__init__()
        self._meter_id = meter_id

    def __missing__(self, number: int) -> str:
        level, step = divmod(number, _VOLTAGES)
        watts, decivolts = 10 * level, _LEAST_DECIVOLTS + 2 * step
        line = self[number] = (
            f"{self._meter_id},{_decimal((watts * 1000 + 30) // 60, 6)},{_decimal(watts, 3)},"
            f"{_decimal(decivolts, 1)},{_decimal((watts * 10_000 + decivolts // 2) // decivolts, 3)}\r\n"
        )
        return line


_lines_of = cache(_Lines)


def _decimal(number: int, places: int) -> str:
    whole, rest = divmod(number, 10**places)
    return f"{whole}.{rest:0{places}}"
