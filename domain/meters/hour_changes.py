"""What a write makes of an hour, by the rule of `domain.meters.corrections`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import NamedTuple

from domain.actors import Actor
from domain.meters.corrections import Effect, Stored, decide
from domain.meters.csv_format import TIMESTAMP_LENGTH, format_line, is_in_order, split_clipped, values_of
from domain.meters.readings import Quality, Reading, same_values
from domain.meters.sums import Sums, sum_columns, sum_lines
from domain.meters.versions import HourBlock, Origin, PastVersion


class Change(NamedTuple):
    """An hour after a write, the versions that the write replaced, and how often it had each effect.

    `is_change` is false if nothing has to be stored.
    """

    block: HourBlock
    past: list[PastVersion]
    effects: Counter[Effect]
    is_change: bool


def has_outdated(block: HourBlock, readings: Iterable[Reading]) -> bool:
    """Return whether one of `readings` may be older than what is stored, so that past versions count."""
    ranks = [origin.rank for origin in (*block.origins, *block.deleted.values())]
    newest = max(ranks, default=-1)
    return any(reading.created_at < newest for reading in readings)


def store(
    meter_id: str,
    block: HourBlock,
    readings: Sequence[Reading],
    actor: Actor | None,
    recorded_at: int,
    known: Iterable[PastVersion] = (),
) -> Change:
    """Apply `readings` of one hour to its block, in the order of `created_at`, ties in the order given.

    `known` are the past versions of the hour, needed where `has_outdated`: an outdated reading that is
    known already is not kept twice.
    """
    if (
        not block.lines
        and not block.deleted
        and (first := _first_upload(meter_id, readings, actor, recorded_at))
    ):
        return Change(first, [], Counter({Effect.STORED: len(readings)}), is_change=True)
    work = _Work.of(block, known)
    for reading in sorted(readings, key=attrgetter("created_at")):
        work.apply(meter_id, reading, actor, recorded_at)
    return work.result(block, recorded_at)


def _first_upload(
    meter_id: str, readings: Sequence[Reading], actor: Actor | None, recorded_at: int
) -> HourBlock | None:
    """Return the block of an hour that is not stored yet, if its readings are in order and have one origin."""
    _, _, _, _, _, quality, created_at = readings[0]
    if not is_in_order([reading[0] for reading in readings]) or any(
        reading[6] != created_at or reading[5] != quality for reading in readings
    ):
        return None
    lines = "".join(
        [
            f"{at},{meter_id},{energy},{power},{voltage},{current}\r\n"
            for at, energy, power, voltage, current, _, _ in readings
        ]
    )
    quarters: dict[int, list[Reading]] = {}
    for reading in readings:
        quarters.setdefault(int(reading[0][14:16]) // 15, []).append(reading)
    sums = {
        quarter: sum_columns(list(zip(*rows, strict=True))[1:5], {quality: len(rows)})
        for quarter, rows in quarters.items()
    }
    origin = Origin(created_at, created_at, recorded_at, quality, actor)
    return HourBlock(lines.encode(), (origin,), {}, sums, recorded_at)


def delete(
    block: HourBlock, first: bytes, end: bytes, actor: Actor | None, now: int, recorded_at: int
) -> tuple[Change, int]:
    """Delete the readings from the timestamp `first` up to, but without, `end`; also returns how many.

    Readings created before `now` cannot come back; nor can those that are deleted, whatever their `created_at`.
    """
    lines, where = split_clipped(block.lines, first, end)
    if not lines:
        return Change(block, [], Counter(), is_change=False), 0
    work = _Work.of(block, ())
    for line, origin in zip(lines, block.origins_by_line()[where], strict=True):
        created_at = max(now, origin.rank + 1)
        work.replace_version(Stored(line, origin))
        work.put(Stored(line[:TIMESTAMP_LENGTH], Origin(created_at, created_at, recorded_at, actor=actor)))
    return work.result(block, recorded_at), len(lines)


@dataclass
class _Work:
    """An hour while a write is applied to it."""

    rows: dict[bytes, Stored]
    known: dict[tuple[bytes, Quality, int | None], list[bytes]] = field(default_factory=dict)
    past: list[PastVersion] = field(default_factory=list)
    effects: Counter[Effect] = field(default_factory=Counter)
    touched: set[int] = field(default_factory=set)
    is_confirmed: bool = False

    @classmethod
    def of(cls, block: HourBlock, known: Iterable[PastVersion]) -> "_Work":
        lines = block.lines.splitlines(keepends=True)
        rows = {
            line[:TIMESTAMP_LENGTH]: Stored(line, origin)
            for line, origin in zip(lines, block.origins_by_line(), strict=True)
        }
        rows |= {timestamp: Stored(timestamp, origin) for timestamp, origin in block.deleted.items()}
        work = cls(rows)
        for version in known:
            work._note(version)
        return work

    def apply(self, meter_id: str, reading: Reading, actor: Actor | None, recorded_at: int) -> None:
        """Apply one reading."""
        timestamp = reading.timestamp.encode()
        stored = self.rows.get(timestamp)
        effect = decide(stored, reading)
        self.effects[effect] += 1
        origin = Origin(reading.created_at, reading.created_at, recorded_at, reading.quality, actor)
        if effect is Effect.OUTDATED:
            self._keep_outdated(PastVersion(format_line(meter_id, reading), origin, outdated=True))
        elif effect is Effect.UNCHANGED and stored is not None:
            if reading.created_at > stored.origin.rank:
                confirmed = stored.origin._replace(confirmed_at=reading.created_at)
                self.rows[timestamp] = Stored(stored.line, confirmed)
                self.is_confirmed = True
        else:
            if stored is not None:
                self.replace_version(stored)
            self.put(Stored(format_line(meter_id, reading), origin))

    def _keep_outdated(self, version: PastVersion) -> None:
        """Keep a version that arrived too late, unless it is known."""
        timestamp = version.line[:TIMESTAMP_LENGTH]
        stored = PastVersion(*self.rows[timestamp])
        lines = self.known.get(_key_of(version), [])
        if _key_of(stored) == _key_of(version):
            lines = [*lines, stored.line]
        if not any(same_values(values_of(line), values_of(version.line)) for line in lines):
            self._note(version)
            self.past.append(version)

    def _note(self, version: PastVersion) -> None:
        self.known.setdefault(_key_of(version), []).append(version.line)

    def replace_version(self, stored: Stored) -> None:
        """Keep a version that is replaced."""
        version = PastVersion(stored.line, stored.origin)
        self._note(version)
        self.past.append(version)

    def put(self, stored: Stored) -> None:
        """Make a version the one in force."""
        timestamp = stored.line[:TIMESTAMP_LENGTH]
        self.rows[timestamp] = stored
        self.touched.add(_quarter_of(timestamp))

    def result(self, block: HourBlock, recorded_at: int) -> Change:
        """Return the change of `block`."""
        if not (self.past or self.touched or self.is_confirmed):
            return Change(block, [], self.effects, is_change=False)
        rows = [self.rows[at] for at in sorted(self.rows)]
        alive = [stored for stored in rows if not stored.is_deletion]
        deleted = {} if len(alive) == len(rows) else {row.line: row.origin for row in rows if row.is_deletion}
        origins = tuple([stored.origin for stored in alive])
        return Change(
            replace(
                block,
                lines=b"".join([stored.line for stored in alive]),
                origins=origins[:1] if all(origin == origins[0] for origin in origins) else origins,
                deleted=deleted,
                sums=_sums_after(block.sums, alive, self.touched),
                changed_at=recorded_at if self.past or self.touched else block.changed_at,
            ),
            self.past,
            self.effects,
            is_change=True,
        )


def _key_of(version: PastVersion) -> tuple[bytes, Quality, int | None]:
    """Return what two equal versions have in common, besides their values."""
    return version.line[:TIMESTAMP_LENGTH], version.origin.quality, version.origin.created_at


def _quarter_of(timestamp: bytes) -> int:
    return int(timestamp[14:16]) // 15


def _sums_after(
    before: Mapping[int, Sums] | None, alive: Sequence[Stored], touched: set[int]
) -> dict[int, Sums]:
    """Return the sums by quarter; only those of quarters that the write has changed are computed again."""
    kept = (
        {}
        if before is None
        else {quarter: sums for quarter, sums in before.items() if quarter not in touched}
    )
    quarters: dict[int, list[Stored]] = {}
    for stored in alive:
        if (quarter := _quarter_of(stored.line)) not in kept:
            quarters.setdefault(quarter, []).append(stored)
    return kept | {quarter: _sum_stored(rows) for quarter, rows in quarters.items()}


def _sum_stored(rows: Sequence[Stored]) -> Sums:
    return sum_lines(b"".join(row.line for row in rows), [row.origin.quality for row in rows])
