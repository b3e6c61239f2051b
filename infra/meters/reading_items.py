"""How the readings of an hour, and their past versions, are stored as DynamoDB items.

The body of an hour is the compressed lines that exports consist of, so that an export is little more than
reading, decompressing and writing. Everything else about the hour is one compressed JSON attribute, so
that what most readings share takes almost no space. Hours stored before that attribute have none.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from domain.meters.csv_format import TIMESTAMP_LENGTH
from domain.meters.sums import Sums
from domain.meters.versions import FORMER, HourBlock, PastVersion, PastVersions
from infra.meters.reading_facts import (
    differences,
    facts_of,
    origin_facts,
    pack,
    to_origins,
    to_sums,
    unpack,
    usual_minutes,
)

Item = Mapping[str, Any]

_ANY_FORMAT = 32 + zlib.MAX_WBITS  # former hours are gzip, the others zlib
_UNIT = 1024
_SMALL = 20_000
_SMALL_LEVEL, _LARGE_LEVEL = 9, 7
# A past version takes at most about 100 bytes; an item may have 400 KB.
_VERSIONS_OF_AN_ITEM = 3600


class StoredHour(NamedTuple):
    """An hour's block, and the number of the write that stored it."""

    block: HourBlock
    version: int


def hour_key(hour: str) -> dict[str, str]:
    """Return the sort key of an hour such as `2024-01-01T00`."""
    return {"S": f"HOUR#{hour}"}


def past_prefix(hour: str) -> str:
    """Return what the sort keys of an hour's past versions begin with; they sort in the order of writes."""
    return f"PAST#{hour}#"


def hour_item(block: HourBlock, version: int, size_of_key: int = 0) -> dict[str, Any]:
    """Return the attributes of an hour, besides its key.

    Its sums are left out where they would take another write unit and their lines are few: those are then summed.
    """
    item = {
        "body": {"B": compress(block.lines)},
        "facts": {"B": pack(facts_of(block))},
        "version": {"N": str(version)},
    }
    if len(block.lines) < _SMALL and (taken := size_of_key + size_of(item)) > _UNIT:
        item_without = item | {"facts": {"B": pack(facts_of(block, with_sums=False))}}
        if _units(size_of_key + size_of(item_without)) < _units(taken):
            return item_without
    return item


def size_of(attributes: Item) -> int:
    """Return the bytes of an item's attributes as DynamoDB counts them: those of the names too."""
    return sum(map(len, attributes)) + sum(
        len(value) // 2 + 2 if kind == "N" else len(value)
        for attribute in attributes.values()
        for kind, value in attribute.items()
    )


def _units(size: int) -> int:
    return -(-size // _UNIT)


def past_items(
    hour: str, version: int, versions: Sequence[PastVersion], replaced_at: int
) -> Iterator[dict[str, Any]]:
    """Yield the attributes and sort keys of the past versions that the write `version` of an hour replaced."""
    for part, first in enumerate(range(0, len(versions), _VERSIONS_OF_AN_ITEM)):
        chunk = versions[first : first + _VERSIONS_OF_AN_ITEM]
        origins = list(dict.fromkeys((past.origin, past.outdated) for past in chunk))
        places = {origin: place for place, origin in enumerate(origins)}
        facts = [
            origin_facts([origin for origin, _ in origins]),
            [int(outdated) for _, outdated in origins],
            differences([places[past.origin, past.outdated] for past in chunk]) if len(origins) > 1 else [],
        ]
        lines = b"".join(past.line if past.line.endswith(b"\n") else past.line + b"\r\n" for past in chunk)
        yield {
            "sk": {"S": f"{past_prefix(hour)}{version:010d}#{part:03d}"},
            "body": {"B": compress(lines)},
            "facts": {"B": pack(facts)},
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
    sums, changed_at, packed_origins, places, deleted, *_ = unpack(item["facts"]["B"])
    origins = to_origins(packed_origins)
    count = 1 if lines else 0
    return HourBlock(
        lines,
        tuple(origins[place] for place in accumulate(places)) if places else tuple(origins[:count]),
        {timestamp.encode(): origins[place] for timestamp, place in deleted},
        to_sums(sums) if isinstance(sums, list) else None,
        changed_at,
    )


class HourFacts(NamedTuple):
    """When an hour was changed last, how many readings it has, and where stored, more of them.

    These are the sums by quarter, and the mask of the minutes with a reading; None if lines have to be read for them.
    """

    changed_at: int
    readings: int
    sums: dict[int, Sums] | None
    minutes: int


def to_facts(item: Item) -> HourFacts | None:
    """Return what an hour's item has besides its lines; None if it was stored before facts were introduced."""
    if "facts" not in item:
        return None
    packed, changed_at, _, _, _, *minutes = unpack(item["facts"]["B"])
    if not isinstance(packed, list):
        return HourFacts(changed_at, packed, None, 0)
    sums = to_sums(packed)
    readings = sum(part.readings for part in sums.values())
    return HourFacts(changed_at, readings, sums, minutes[0] if minutes else usual_minutes(sums))


def changed_at_of(item: Item) -> int:
    """Return when an hour's item was changed last; 0 if it was stored before facts were introduced."""
    return int(unpack(item["facts"]["B"])[1]) if "facts" in item else 0


def count_of(item: Item) -> int:
    """Return how many readings an hour's item has, without its lines; items without facts have a count."""
    facts = to_facts(item)
    return int(item["count"]["N"]) if facts is None else facts.readings


def to_past(item: Item) -> PastVersions:
    """Read an item of past versions."""
    packed_origins, outdated, places = unpack(item["facts"]["B"])
    origins = list(zip(to_origins(packed_origins), map(bool, outdated), strict=True))
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
    """Compress lines; small blocks with the best compression, which is cheap for them.

    The digits of few lines repeat only by chance: to refer back to three of them costs more than it saves, and Z_FILTERED
    does not.
    """
    is_small = len(lines) < _SMALL
    compressor = zlib.compressobj(
        _SMALL_LEVEL if is_small else _LARGE_LEVEL,
        strategy=zlib.Z_FILTERED if is_small else zlib.Z_DEFAULT_STRATEGY,
    )
    return compressor.compress(lines) + compressor.flush()


def decompress(body: bytes) -> bytes:
    """Return what was compressed, now or in the former format."""
    return zlib.decompress(body, _ANY_FORMAT)
