"""The rule by which readings replace each other."""

from enum import StrEnum
from typing import NamedTuple

from domain.meters.csv_format import TIMESTAMP_LENGTH, values_of
from domain.meters.readings import Reading, same_values
from domain.meters.versions import Origin


class Effect(StrEnum):
    """What a sent reading does to the stored reading with its timestamp."""

    STORED = "stored"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"


class Stored(NamedTuple):
    """The version of a reading that is in force; `line` is only the timestamp where it is a deletion."""

    line: bytes
    origin: Origin

    @property
    def is_deletion(self) -> bool:
        """Whether the reading was deleted."""
        return len(self.line) == TIMESTAMP_LENGTH


def decide(stored: Stored | None, sent: Reading) -> Effect:
    """Return what `sent` does: a newer `created_at` replaces, of equal ones the later arrival, an older does nothing."""
    if stored is None:
        return Effect.STORED
    if sent.created_at < stored.origin.rank:
        return Effect.OUTDATED
    if stored.is_deletion:
        return Effect.STORED
    same = stored.origin.quality == sent.quality and same_values(values_of(stored.line), sent.values)
    return Effect.UNCHANGED if same else Effect.UPDATED
