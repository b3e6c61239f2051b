"""The versions of readings: what is stored of an hour now, and what corrections replaced.

Instants are microseconds since 1970, as they are stored and compared by the thousand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.actors import Actor
from domain.meters.readings import Quality
from domain.meters.sums import Sums


class Origin(NamedTuple):
    """When a version was created and recorded, their quality, and who sent them.

    `created_at` is when the sender made these values first, `confirmed_at` when it stated them last; both
    are None for readings stored before they were kept, which are older than all others.
    """

    created_at: int | None
    confirmed_at: int | None
    recorded_at: int
    quality: Quality = Quality.MEASURED
    actor: Actor | None = None

    @property
    def rank(self) -> int:
        """What orders the versions of a reading: an older one never replaces a newer one."""
        return -1 if self.confirmed_at is None else self.confirmed_at


FORMER = Origin(created_at=None, confirmed_at=None, recorded_at=0)
"""The origin of readings stored before origins were."""


@dataclass(frozen=True, slots=True)
class HourBlock:
    """What is stored of a meter's hour.

    `lines` are its readings in the order of time; `origins` has one for each line, or one for all. `deleted`
    holds the origins of deletions by timestamp, `sums` the sums by quarter of the hour (0 to 3), or None
    if they are not stored. `changed_at` is the newest `recorded_at`.
    """

    lines: bytes = b""
    origins: Sequence[Origin] = ()
    deleted: Mapping[bytes, Origin] = field(default_factory=dict)
    sums: Mapping[int, Sums] | None = field(default_factory=dict)
    changed_at: int = 0

    def origins_by_line(self) -> list[Origin]:
        """Return the origin of each line."""
        count = self.lines.count(b"\n")
        return list(self.origins) if len(self.origins) == count else list(self.origins) * count


class PastVersion(NamedTuple):
    """A version that is not in force: replaced, or older than the one in force when it arrived.

    `line` is only the timestamp where the version is a deletion.
    """

    line: bytes
    origin: Origin
    outdated: bool = False


class PastVersions(NamedTuple):
    """The versions that one write replaced, at `replaced_at`."""

    replaced_at: int
    versions: Sequence[PastVersion]
