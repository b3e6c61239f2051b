"""What is stored of an hour besides its lines, as compressed JSON: sums, origins, and deleted readings.

Most readings share most of it, which therefore takes few bytes: each byte counts for an hour of minutes, which should
fit into one write unit.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

from domain.actors import Actor, ActorKind
from domain.instants import MILLISECOND
from domain.meters.completeness import minutes_of
from domain.meters.readings import Quality
from domain.meters.sums import Sums
from domain.meters.versions import HourBlock, Origin

_LEVEL = 9
# A dictionary for the compressor; what was compressed with it cannot be read without it.
_USUAL_FACTS = (
    b'"user","api_key","publisher","energy-operations"'
    b'[[[0,60,"0.0],[[[0,15,"0.","],[1,15,"0.","],[2,15,"0.","],[3,15,"0."]],17'
    b'[[17,[0],[0],[0],[["anonymous",null,null]]],[],[]]'
)

# The minutes of a quarter hour that start with a reading, by the number of readings.
_EVEN_MINUTES = {count: sum(1 << minute for minute in range(0, 15, 15 // count)) for count in (1, 3, 5, 15)}
_EVEN_MINUTES |= dict.fromkeys((30, 60, 90, 180, 450, 900), _EVEN_MINUTES[15])

_QUALITIES = tuple(Quality)
_MANY_ORIGINS = 4
_UNKNOWN = -1  # of a confirmation, which never comes before its reading was made
_CODES = {quality: code for code, quality in enumerate(_QUALITIES)}


def pack(facts: Any) -> bytes:  # noqa: ANN401 - JSON
    """Compress facts."""
    compressor = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS, zdict=_USUAL_FACTS)
    return compressor.compress(json.dumps(facts, separators=(",", ":")).encode()) + compressor.flush()


def unpack(packed: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return what `pack` compressed."""
    return json.loads(zlib.decompressobj(-zlib.MAX_WBITS, zdict=_USUAL_FACTS).decompress(packed))


def facts_of(block: HourBlock, *, with_sums: bool = True) -> list[Any]:
    """Return what is stored of an hour besides its lines; without sums, the number of readings in their place."""
    origins = list(dict.fromkeys((*block.origins, *block.deleted.values())))
    places = {origin: place for place, origin in enumerate(origins)}
    by_line = differences([places[origin] for origin in block.origins]) if len(block.origins) > 1 else []
    sums = block.sums or {}
    minutes = minutes_of(block.lines)
    return [
        [[quarter, *sums_facts(part)] for quarter, part in sorted(sums.items())]
        if with_sums
        else block.lines.count(b"\n"),
        block.changed_at,
        origin_facts(origins),
        by_line,
        [[timestamp.decode(), places[origin]] for timestamp, origin in sorted(block.deleted.items())],
        *([] if not with_sums or minutes == usual_minutes(sums) else [minutes]),
    ]


def usual_minutes(sums: Mapping[int, Sums]) -> int:
    """Return the mask of an hour of as many readings, if they are spread evenly; others are stored."""
    minutes = 0
    for quarter, part in sums.items():
        minutes |= _EVEN_MINUTES.get(part.readings, 0) << quarter * 15
    return minutes


def sums_facts(sums: Sums) -> list[Any]:
    """Return sums as JSON: the counts and qualities only where not all readings are complete and measured."""
    facts: list[Any] = [sums.readings, *(f"{total:f}" for total in sums.totals)]
    plain = set(sums.counts) == {sums.readings} and list(sums.qualities) == [Quality.MEASURED]
    return facts if plain else [*facts, sums.counts, {_CODES[name]: n for name, n in sums.qualities.items()}]


def to_sums(facts: Iterable[Sequence[Any]]) -> dict[int, Sums]:
    """Read the sums of the quarters of an hour."""
    return {quarter: sums_from(*rest) for quarter, *rest in facts}


def sums_from(readings: int, *facts: Any) -> Sums:  # noqa: ANN401 - JSON
    """Return the sums that `sums_facts` stored."""
    totals, more = facts[:4], facts[4:]
    counts, qualities = more or ([readings] * 4, {"0": readings})
    return Sums(
        readings,
        tuple(counts),
        tuple(map(Decimal, totals)),
        {_QUALITIES[int(code)]: count for code, count in qualities.items()},
    )


def origin_facts(origins: Sequence[Origin]) -> list[Any]:
    """Return origins as JSON columns: actors once each, instants as what they differ by, which compresses well.

    Of many origins, a column that is a number has that number for each, and the last column says how their instants
    are written: in units of so many microseconds, and whether `recorded_at` counts from the origin before too.
    """
    actors: dict[Actor | None, int] = {}
    created = [origin.created_at or 0 for origin in origins]
    confirmed = [
        _UNKNOWN if origin.confirmed_at is None else origin.confirmed_at - at
        for origin, at in zip(origins, created, strict=True)
    ]
    recorded = [origin.recorded_at - at for origin, at in zip(origins, created, strict=True)]
    qualities = [_CODES[origin.quality] for origin in origins]
    places = [actors.setdefault(origin.actor, len(actors)) for origin in origins]
    named = [[actor.kind, actor.id, actor.name] if actor else None for actor in actors]
    if len(origins) < _MANY_ORIGINS:
        return [differences(created), confirmed, recorded, qualities, places, named]
    unit = _unit_of(created, confirmed, recorded)
    created, confirmed, recorded = (
        [at // unit for at in column] for column in (created, confirmed, recorded)
    )
    steps = differences(recorded)
    is_stepwise = len(str(steps)) < len(str(recorded))
    columns = [confirmed, steps if is_stepwise else recorded, qualities, places]
    short = [column[0] if len(set(column)) == 1 else column for column in columns]
    return [differences(created), *short, named, [unit, int(is_stepwise)]]


def _unit_of(*columns: Sequence[int]) -> int:
    """Return the unit of instants: a millisecond if all are whole ones."""
    is_whole = all(at % MILLISECOND == 0 for column in columns for at in column)
    return MILLISECOND if is_whole else 1


def to_origins(facts: Sequence[Any]) -> list[Origin]:
    """Return the origins that `origin_facts` stored."""
    created, *columns, named = facts[:6]
    unit, is_stepwise = facts[6] if facts[6:] else (1, 0)
    confirmed, recorded, qualities, places = [
        column if isinstance(column, list) else [column] * len(created) for column in columns
    ]
    actors = [Actor(ActorKind(name[0]), name[1], name[2]) if name else None for name in named]
    return [
        Origin(
            created_at * unit or None,
            None if confirmed_at == _UNKNOWN else (created_at + confirmed_at) * unit,
            (created_at + recorded_at) * unit,
            _QUALITIES[code],
            actors[place],
        )
        for created_at, confirmed_at, recorded_at, code, place in zip(
            accumulate(created),
            confirmed,
            accumulate(recorded) if is_stepwise else recorded,
            qualities,
            places,
            strict=True,
        )
    ]


def differences(numbers: Sequence[int]) -> list[int]:
    """Return by how much each number differs from the one before it; `accumulate` reverses it."""
    return [number - before for before, number in pairwise((0, *numbers))]
