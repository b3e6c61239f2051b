"""Exact sums and counts of readings: what is stored by quarter hour, and added up for longer periods."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

from domain.meters.readings import VALUES, Quality

# A sum is exact: numbers reach from 10^8 down to the thirtieth digit of 10^-30.
_EXACT = Context(prec=100)
_MEAN_STEP = Decimal("0.000001")
_ZERO = Decimal(0)
_MINUTE = slice(14, 16)  # of a timestamp


class Sums(NamedTuple):
    """How many readings there are, how many have each value, the sums of the values, and the qualities."""

    readings: int
    counts: tuple[int, ...]
    totals: tuple[Decimal, ...]
    qualities: Mapping[Quality, int]


def sum_columns(columns: Sequence[Sequence[str]], qualities: Mapping[Quality, int]) -> Sums:
    """Add up the four columns of values, in which an empty text is no value."""
    stated = [list(filter(None, column)) if "" in column else column for column in columns]
    with localcontext(_EXACT):
        totals = tuple(sum(map(Decimal, column), _ZERO) for column in stated)
    return Sums(len(columns[0]), tuple(map(len, stated)), totals, qualities)


def sum_lines(lines: bytes, qualities: Sequence[Quality] = ()) -> Sums:
    """Add up the values of some lines; there is one quality for each of them, or else all were measured."""
    rows = [line.split(",")[2:] for line in lines.decode().splitlines()]
    counted = Counter(qualities) if qualities else {Quality.MEASURED: len(rows)}
    return sum_columns(list(zip(*rows, strict=True)) or [()] * len(VALUES), counted)


def sum_quarters(lines: bytes, qualities: Sequence[Quality] = ()) -> dict[int, Sums]:
    """Add up the lines of an hour by quarter (0 to 3), of those that have any; qualities as for `sum_lines`."""
    quarters: dict[int, list[int]] = {}
    rows = lines.splitlines(keepends=True)
    for place, row in enumerate(rows):
        quarters.setdefault(int(row[_MINUTE]) // 15, []).append(place)
    return {
        quarter: sum_lines(
            b"".join([rows[place] for place in places]),
            [qualities[place] for place in places] if qualities else (),
        )
        for quarter, places in quarters.items()
    }


def add(parts: Iterable[Sums]) -> Sums:
    """Add up the sums of several periods."""
    readings = 0
    counts = [0] * len(VALUES)
    totals = [_ZERO] * len(VALUES)
    qualities: Counter[Quality] = Counter()
    with localcontext(_EXACT):
        for part in parts:
            readings += part.readings
            counts = [one + other for one, other in zip(counts, part.counts, strict=True)]
            totals = [one + other for one, other in zip(totals, part.totals, strict=True)]
            qualities.update(part.qualities)
    return Sums(readings, tuple(counts), tuple(totals), qualities)


def mean(total: Decimal, count: int) -> Decimal | None:
    """Return the mean, rounded half-even to six decimals; None of no values."""
    if not count:
        return None
    with localcontext(_EXACT):
        return (total / count).quantize(_MEAN_STEP)
