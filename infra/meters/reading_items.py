"""How the readings of an hour, and their past versions, are stored as DynamoDB items.

The body of an hour is the compressed lines that exports consist of, so that an export is little more than
reading, decompressing and writing. Everything else about the hour is one compressed JSON attribute, so
that what most readings share costs next to nothing. Hours stored before that attribute have none.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from domain.actors import Actor, ActorKind
from domain.meters.completeness import minutes_of
from domain.meters.csv_format import TIMESTAMP_LENGTH
from domain.meters.readings import Quality
from domain.meters.sums import Sums
from domain.meters.versions import FORMER, HourBlock, Origin, PastVersion, PastVersions

Item = Mapping[str, Any]

_ANY_FORMAT = 32 + zlib.MAX_WBITS  # hours stored before are gzip, the others zlib
_SMALL = 20_000
_SMALL_LEVEL, _LARGE_LEVEL = 9, 7
# What facts usually look like, for the compressor to refer to; without it nothing that is stored can be read.
_USUAL_FACTS = (
    b'"user","api_key","publisher","energy-operations"'
    b'[[[0,60,"0.0],[[[0,15,"0.","],[1,15,"0.","],[2,15,"0.","],[3,15,"0."]],17'
    b'[[17,[0],[0],[0],[["anonymous",null,null]]],[],[]]'
)
# A past version takes at most about 100 bytes; an item may have 400 KB.
_VERSIONS_OF_AN_ITEM = 3600

# The minutes of a quarter hour that have a reading at their begin, by the number of readings.
_EVEN_MINUTES = {count: sum(1 << minute for minute in range(0, 15, 15 // count)) for count in (1, 3, 5, 15)}
_EVEN_MINUTES |= dict.fromkeys((30, 60, 90, 180, 450, 900), _EVEN_MINUTES[15])

_QUALITIES = tuple(Quality)
_UNKNOWN = -1  # of a confirmation, which never comes before its reading was made
_CODES = {quality: code for code, quality in enumerate(_QUALITIES)}


class StoredHour(NamedTuple):
    """An hour's block and the number of the write that made it what it is."""

    block: HourBlock
    version: int


def hour_key(hour: str) -> dict[str, str]:
    """Return the sort key of an hour such as `2024-01-01T00`."""
    return {"S": f"HOUR#{hour}"}


def past_prefix(hour: str) -> str:
    """Return what the sort keys of an hour's past versions begin with; they sort in the order of writes."""
    return f"PAST#{hour}#"


def hour_item(block: HourBlock, version: int) -> dict[str, Any]:
    """Return the attributes of an hour, besides its key."""
    return {
        "body": {"B": compress(block.lines)},
        "facts": {"B": _pack(_facts_of(block))},
        "version": {"N": str(version)},
    }


def past_items(
    hour: str, version: int, versions: Sequence[PastVersion], replaced_at: int
) -> Iterator[dict[str, Any]]:
    """Give the attributes and sort keys of the past versions that the write `version` of an hour put aside."""
    for part, first in enumerate(range(0, len(versions), _VERSIONS_OF_AN_ITEM)):
        chunk = versions[first : first + _VERSIONS_OF_AN_ITEM]
        origins = list(dict.fromkeys((past.origin, past.outdated) for past in chunk))
        places = {origin: place for place, origin in enumerate(origins)}
        facts = [
            _origin_facts([origin for origin, _ in origins]),
            [int(outdated) for _, outdated in origins],
            _differences([places[past.origin, past.outdated] for past in chunk]) if len(origins) > 1 else [],
        ]
        lines = b"".join(past.line if past.line.endswith(b"\n") else past.line + b"\r\n" for past in chunk)
        yield {
            "sk": {"S": f"{past_prefix(hour)}{version:010d}#{part:03d}"},
            "body": {"B": compress(lines)},
            "facts": {"B": _pack(facts)},
            "replaced_at": {"N": str(replaced_at)},
        }


def to_hour(item: Item) -> StoredHour:
    """Read an hour's item."""
    return StoredHour(to_block(item), int(item["version"]["N"]))


def to_block(item: Item) -> HourBlock:
    """Read the block of an hour's item."""
    lines = decompress(item["body"]["B"])
    if "facts" not in item:
        return HourBlock(lines, (FORMER,), sums=None)
    sums, changed_at, origin_facts, places, deleted, *_ = _unpack(item["facts"]["B"])
    origins = _to_origins(origin_facts)
    count = 1 if lines else 0
    return HourBlock(
        lines,
        tuple(origins[place] for place in accumulate(places)) if places else tuple(origins[:count]),
        {timestamp.encode(): origins[place] for timestamp, place in deleted},
        _to_sums(sums),
        changed_at,
    )


class HourFacts(NamedTuple):
    """The sums of an hour by quarter, when it was changed last, and the mask of the minutes with a reading."""

    sums: dict[int, Sums]
    changed_at: int
    minutes: int


def to_facts(item: Item) -> HourFacts | None:
    """Read what an hour's item says without its lines; None where it was stored before facts were."""
    if "facts" not in item:
        return None
    packed, changed_at, _, _, _, *minutes = _unpack(item["facts"]["B"])
    sums = _to_sums(packed)
    return HourFacts(sums, changed_at, minutes[0] if minutes else _usual_minutes(sums))


def count_of(item: Item) -> int:
    """Return how many readings an hour's item has, without its lines; items without facts have a count."""
    facts = to_facts(item)
    return int(item["count"]["N"]) if facts is None else sum(sums.readings for sums in facts.sums.values())


def to_past(item: Item) -> PastVersions:
    """Read an item of past versions."""
    origin_facts, outdated, places = _unpack(item["facts"]["B"])
    origins = list(zip(_to_origins(origin_facts), map(bool, outdated), strict=True))
    lines = decompress(item["body"]["B"]).splitlines(keepends=True)
    versions = [
        PastVersion(_without_ending(line), *origins[place])
        for line, place in zip(lines, accumulate(places or [0] * len(lines)), strict=True)
    ]
    return PastVersions(int(item["replaced_at"]["N"]), versions)


def _without_ending(line: bytes) -> bytes:
    """Return the line of a reading, or of a deletion only its timestamp."""
    return line[:TIMESTAMP_LENGTH] if len(line) == TIMESTAMP_LENGTH + 2 else line


def compress(lines: bytes) -> bytes:
    """Compress lines: small blocks as well as it goes, for which it is cheap."""
    level = _SMALL_LEVEL if len(lines) < _SMALL else _LARGE_LEVEL
    compressor = zlib.compressobj(level)
    return compressor.compress(lines) + compressor.flush()


def decompress(body: bytes) -> bytes:
    """Return what was compressed, now or in the former format."""
    return zlib.decompress(body, _ANY_FORMAT)


def _pack(facts: Any) -> bytes:  # noqa: ANN401 - JSON
    # Each byte counts for an hour of minutes, which should fit into one write unit.
    compressor = zlib.compressobj(_SMALL_LEVEL, wbits=-zlib.MAX_WBITS, zdict=_USUAL_FACTS)
    return compressor.compress(json.dumps(facts, separators=(",", ":")).encode()) + compressor.flush()


def _unpack(packed: bytes) -> Any:  # noqa: ANN401 - JSON
    return json.loads(zlib.decompressobj(-zlib.MAX_WBITS, zdict=_USUAL_FACTS).decompress(packed))


def _facts_of(block: HourBlock) -> list[Any]:
    origins = list(dict.fromkeys((*block.origins, *block.deleted.values())))
    places = {origin: place for place, origin in enumerate(origins)}
    by_line = _differences([places[origin] for origin in block.origins]) if len(block.origins) > 1 else []
    sums = block.sums or {}
    minutes = minutes_of(block.lines)
    return [
        [[quarter, *sums_facts(part)] for quarter, part in sorted(sums.items())],
        block.changed_at,
        _origin_facts(origins),
        by_line,
        [[timestamp.decode(), places[origin]] for timestamp, origin in sorted(block.deleted.items())],
        *([] if minutes == _usual_minutes(sums) else [minutes]),
    ]


def _usual_minutes(sums: Mapping[int, Sums]) -> int:
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


def _to_sums(facts: Iterable[Sequence[Any]]) -> dict[int, Sums]:
    return {quarter: sums_from(*rest) for quarter, *rest in facts}


def sums_from(readings: int, *facts: Any) -> Sums:  # noqa: ANN401 - JSON
    """Read what `sums_facts` wrote."""
    totals, more = facts[:4], facts[4:]
    counts, qualities = more or ([readings] * 4, {"0": readings})
    return Sums(
        readings,
        tuple(counts),
        tuple(map(Decimal, totals)),
        {_QUALITIES[int(code)]: count for code, count in qualities.items()},
    )


def _origin_facts(origins: Sequence[Origin]) -> list[Any]:
    """Return origins as JSON columns: actors once each, instants as what they differ by, which compresses well."""
    actors: dict[Actor | None, int] = {}
    created = [origin.created_at or 0 for origin in origins]
    return [
        _differences(created),
        [
            _UNKNOWN if origin.confirmed_at is None else origin.confirmed_at - at
            for origin, at in zip(origins, created, strict=True)
        ],
        [origin.recorded_at - at for origin, at in zip(origins, created, strict=True)],
        [_CODES[origin.quality] for origin in origins],
        [actors.setdefault(origin.actor, len(actors)) for origin in origins],
        [[actor.kind, actor.id, actor.name] if actor else None for actor in actors],
    ]


def _to_origins(facts: Sequence[Any]) -> list[Origin]:
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


def _differences(numbers: Sequence[int]) -> list[int]:
    """Return by how much each number differs from the one before it; `accumulate` is the way back."""
    return [number - before for before, number in pairwise((0, *numbers))]
