"""Readings, their corrections and their history in the plainest way: a list of versions for each timestamp."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from domain.actors import Actor
from domain.meters.readings import Reading

Values = tuple[Decimal | None, ...]
Shown = tuple[object, ...]


@dataclass(frozen=True)
class NaiveVersion:
    """One version of a reading; a deletion has no values."""

    values: Values | None
    quality: str
    created_at: int
    confirmed_at: int
    recorded_at: int
    actor: Actor | None
    replaced_at: int | None = None
    outdated: bool = False

    def shown(self) -> Shown:
        """Return what a history shows of it."""
        return (
            self.values,
            self.quality if self.values is not None else None,
            self.created_at,
            self.confirmed_at,
            self.recorded_at,
            self.replaced_at,
            self.outdated,
            self.actor,
        )


@dataclass
class NaiveReadings:
    """The readings of one meter."""

    versions: dict[str, list[NaiveVersion]] = field(default_factory=dict)

    def copy(self) -> "NaiveReadings":
        """Return another that changes on its own."""
        return NaiveReadings({at: list(versions) for at, versions in self.versions.items()})

    def upload(
        self, readings: Sequence[Reading], recorded_at: Mapping[str, int], actor: Actor | None
    ) -> Counter[str]:
        """Apply an upload, whose write of each hour was recorded at an instant; return its counts."""
        counts: Counter[str] = Counter()
        for reading in sorted(readings, key=lambda reading: reading.created_at):
            sent = NaiveVersion(
                self.values_of(reading.values),
                reading.quality,
                reading.created_at,
                reading.created_at,
                recorded_at.get(reading.timestamp[:13], -1),
                actor,
            )
            counts[self._upload_one(reading.timestamp, sent)] += 1
        return counts

    def _upload_one(self, timestamp: str, sent: NaiveVersion) -> str:
        versions = self.versions.setdefault(timestamp, [])
        place = next((i for i, version in enumerate(versions) if self._in_force(version)), None)
        if place is None:
            versions.append(sent)
            return "stored"
        current = versions[place]
        same = (current.values, current.quality) == (sent.values, sent.quality)
        if sent.created_at < current.confirmed_at:
            known = [(v.values, v.quality, v.created_at) for v in versions if v.values is not None]
            if (sent.values, sent.quality, sent.created_at) not in known:
                versions.append(replace(sent, outdated=True))
            return "outdated"
        if same:
            versions[place] = replace(current, confirmed_at=sent.created_at)
            return "unchanged"
        versions[place] = replace(current, replaced_at=sent.recorded_at)
        versions.append(sent)
        return "stored" if current.values is None else "updated"

    @staticmethod
    def values_of(texts: Sequence[str]) -> Values:
        """Return values as numbers, so that no spelling counts."""
        return tuple(Decimal(text) if text else None for text in texts)

    @staticmethod
    def _in_force(version: NaiveVersion) -> bool:
        return version.replaced_at is None and not version.outdated

    def delete(
        self, first: str, end: str, now: int, recorded_at: Mapping[str, int], actor: Actor | None
    ) -> int:
        """Delete the readings from `first` up to, but without, `end`; return how many."""
        count = 0
        for timestamp, versions in self.versions.items():
            for place, version in enumerate(versions):
                if first <= timestamp < end and self._in_force(version) and version.values is not None:
                    at = recorded_at[timestamp[:13]]
                    made = max(now, version.confirmed_at + 1)
                    versions[place] = replace(version, replaced_at=at)
                    versions.append(NaiveVersion(None, "measured", made, made, at, actor))
                    count += 1
                    break
        return count

    def known_at(self, instant: int | None) -> dict[str, tuple[Values, str, int]]:
        """Return the values, qualities and `created_at` that were known at `instant`, or are now."""
        known = {}
        for timestamp, versions in self.versions.items():
            for version in versions:
                begun = instant is None or version.recorded_at <= instant
                over = version.replaced_at is not None and (instant is None or version.replaced_at <= instant)
                if begun and not over and not version.outdated and version.values is not None:
                    known[timestamp] = (version.values, version.quality, version.created_at)
        return known

    def history(self, timestamp: str) -> list[Shown]:
        """Return all versions of a reading, in no order that counts."""
        return [version.shown() for version in self.versions.get(timestamp, [])]

    def instants(self) -> set[int]:
        """Return each instant at which something was recorded or replaced."""
        found: set[int] = set()
        for versions in self.versions.values():
            found |= {version.recorded_at for version in versions}
            found |= {version.replaced_at for version in versions if version.replaced_at is not None}
        return found


def sums_by_hour(known: Mapping[str, tuple[Values, str, int]]) -> dict[str, Shown]:
    """Return the sums, counts and qualities of each hour."""
    hours: dict[str, list[tuple[Values, str]]] = {}
    for timestamp, (values, quality, _) in known.items():
        hours.setdefault(timestamp[:13], []).append((values, quality))
    return {hour: _sums(rows) for hour, rows in hours.items()}


def _sums(rows: Iterable[tuple[Values, str]]) -> Shown:
    rows = list(rows)
    columns = list(zip(*(values for values, _ in rows), strict=True))
    stated = [[value for value in column if value is not None] for column in columns]
    qualities = dict(sorted(Counter(quality for _, quality in rows).items()))
    return (
        len(rows),
        tuple(map(len, stated)),
        tuple(sum(column, Decimal(0)) for column in stated),
        tuple(qualities.items()),
    )
