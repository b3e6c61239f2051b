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
_UNKNOWN = -1  # of a confirmation, which never comes before its reading was made
_CODES = {quality: code for code, quality in enumerate(_QUALITIES)}


def pack(facts: Any) -> bytes:  # noqa: ANN401 - JSON
    """Compress facts."""
    compressor = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS, zdict=_USUAL_FACTS)
    return compressor.compress(json.dumps(facts, separators=(",", ":")).encode()) + compressor.flush()


def unpack(packed: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return what `pack` compressed."""
    return json.loads(zlib.decompressobj(-zlib.MAX_WBITS, zdict=_USUAL_FACTS).decompress(packed))


def facts_of(block: HourBlock) -> list[Any]:
    """Return what is stored of an hour besides its lines."""
    origins = list(dict.fromkeys((*block.origins, *block.deleted.values())))
    places = {origin: place for place, origin in enumerate(origins)}
    by_line = differences([places[origin] for origin in block.origins]) if len(block.origins) > 1 else []
    sums = block.sums or {}
    minutes = minutes_of(block.lines)
    return [
        [[quarter, *sums_facts(part)] for quarter, part in sorted(sums.items())],
        block.changed_at,
        origin_facts(origins),
        by_line,
        [[timestamp.decode(), places[origin]] for timestamp, origin in sorted(block.deleted.items())],
        *([] if minutes == usual_minutes(sums) else [minutes]),
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
    """Return origins as JSON columns: actors once each, instants as what they differ by, which compresses well."""
    actors: dict[Actor | None, int] = {}
    created = [origin.created_at or 0 for origin in origins]
    return [
        differences(created),
        [
            _UNKNOWN if origin.confirmed_at is None else origin.confirmed_at - at
            for origin, at in zip(origins, created, strict=True)
        ],
        [origin.recorded_at - at for origin, at in zip(origins, created, strict=True)],
        [_CODES[origin.quality] for origin in origins],
        [actors.setdefault(origin.actor, len(actors)) for origin in origins],
        [[actor.kind, actor.id, actor.name] if actor else None for actor in actors],
    ]


def to_origins(facts: Sequence[Any]) -> list[Origin]:
    """Return the origins that `origin_facts` stored."""
    *columns, named = facts
    columns[0] = accumulate(columns[0])
    actors = [Actor(ActorKind(name[0]), name[1], name[2]) if name else None for name in named]
    return [
        Origin(
            created_at or None,
            None if confirmed_at == _UNKNOWN else created_at + confirmed_at,
            created_at + recorded_at,
            _QUALITIES[code],
            actors[place],
        )
        for created_at, confirmed_at, recorded_at, code, place in zip(*columns, strict=True)
    ]


def differences(numbers: Sequence[int]) -> list[int]:
    """Return by how much each number differs from the one before it; `accumulate` reverses it."""
    return [number - before for before, number in pairwise((0, *numbers))]
