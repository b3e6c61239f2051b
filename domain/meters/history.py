"""What was known of an hour at an earlier instant, and the versions of one of its readings."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domain.meters.corrections import Stored
from domain.meters.csv_format import TIMESTAMP_LENGTH, values_of
from domain.meters.versions import HourBlock, Origin, PastVersions


def known_at(block: HourBlock, past: Iterable[PastVersions], instant: int) -> HourBlock:
    """Return the hour as it was known at `instant`, in microseconds.

    For each reading this is the newest version recorded until then. Filtering the versions in force now
    would be wrong: a reading that was corrected later would be missing. `past` must contain the versions
    replaced after `instant`, and may contain more.
    """
    rows: dict[bytes, Stored] = {}
    for replaced_at, versions in past:
        for line, origin, outdated in versions:
            if not outdated and origin.recorded_at <= instant < replaced_at:
                rows[line[:TIMESTAMP_LENGTH]] = Stored(line, origin)
    lines = block.lines.splitlines(keepends=True)
    for stored in (
        *map(Stored, lines, block.origins_by_line()),
        *(Stored(timestamp, origin) for timestamp, origin in block.deleted.items()),
    ):
        if stored.origin.recorded_at <= instant:
            rows[stored.line[:TIMESTAMP_LENGTH]] = stored
    alive = [rows[at] for at in sorted(rows) if not rows[at].is_deletion]
    origins = tuple(stored.origin for stored in alive)
    return HourBlock(
        lines=b"".join(stored.line for stored in alive),
        origins=origins[:1] if len(set(origins)) == 1 else origins,
        sums=None,
        changed_at=max((origin.recorded_at for origin in origins), default=0),
    )


class Version(NamedTuple):
    """One version of a reading: its values, or none if it is a deletion.

    `replaced_at` is None for the version in force, and for an outdated one, which never was.
    """

    values: tuple[str, ...] | None
    origin: Origin
    replaced_at: int | None
    outdated: bool


def versions_in(past: PastVersions, timestamp: bytes) -> Iterator[Version]:
    """Yield the versions of the reading at `timestamp` that one write replaced."""
    for line, origin, outdated in past.versions:
        if line.startswith(timestamp):
            yield Version(_values_or_none(line), origin, None if outdated else past.replaced_at, outdated)


def version_in_force(block: HourBlock, timestamp: bytes) -> Version | None:
    """Return the version of the reading at `timestamp` that counts, if there is any."""
    if timestamp in block.deleted:
        return Version(None, block.deleted[timestamp], None, outdated=False)
    for line, origin in zip(block.lines.splitlines(keepends=True), block.origins_by_line(), strict=True):
        if line.startswith(timestamp):
            return Version(_values_or_none(line), origin, None, outdated=False)
    return None


def _values_or_none(line: bytes) -> tuple[str, ...] | None:
    return None if len(line) == TIMESTAMP_LENGTH else values_of(line)
