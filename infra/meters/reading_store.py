"""Stores readings in DynamoDB: one item for each hour of a meter, and items beside it for past versions.

A write reads the hours it touches, applies the readings to them (`domain.meters.hour_changes`), and stores each
hour together with the versions that it replaces, on condition that the hour is still the one that was read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from domain.actors import Actor
from domain.instants import MILLISECOND, to_micros, whole_milliseconds
from domain.meters import hour_changes
from domain.meters.hour_changes import Change, has_outdated
from domain.meters.readings import Interval, Reading
from domain.meters.sums import sum_quarters
from domain.meters.uploads import MAX_HOURS, MAX_STORED_READINGS, TooManyReadingsError
from domain.meters.versions import HourBlock
from infra.batch_reads import read_items
from infra.conditional_writes import Writer
from infra.meters.hour_writes import Apply, Counts, HourWrites, Write
from infra.meters.meter_store import partition_of
from infra.meters.reading_items import StoredHour, count_of, hour_key, to_hour
from infra.meters.reading_sums import SumQueries
from infra.retries import attempts
from infra.write_outcomes import (
    Applied,
    BusyError,
    NotApplied,
    PartlyAppliedError,
    Refused,
    Unknown,
    error_of,
    is_retryable,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_HOURS_AT_ONCE = 100
_BATCHES_AT_ONCE = 4
_ALL_TIME = (b"2000-01-01T00:00:00Z", b"2101-01-02T00:00:00Z")
_COUNTED_FROM = 250
"""With at least so many hours, their stored readings are counted before the first write."""
_ATTEMPTS = 20
_LONGEST_SECONDS = 10.0
"""No attempt at a batch starts later than this."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ReadingStore(SumQueries):
    """The readings of one table."""

    now: Callable[[], datetime] = staticmethod(_utc_now)

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        super().__init__(client, table)
        self.writer = Writer(client)

    def store(self, meter_id: str, readings: Iterable[Reading], actor: Actor | None = None) -> Counts:
        """Store `readings` of a meter; of those with the same timestamp, the one with the newest `created_at` counts.

        Concurrent uploads lose nothing. Storing the same readings again is harmless.

        Raises:
            TooManyReadingsError: more is stored in the hours they touch than one request may rewrite.
            OutcomeUnknownError: a response was lost; some hours may be stored.
            BusyError: nothing is stored: other writes came first in every attempt, or the table was busy.
            PartlyAppliedError: the same, but some hours may be stored.
        """
        hours: dict[str, list[Reading]] = {}
        for reading in readings:
            hours.setdefault(reading[0][:13], []).append(reading)

        def apply(name: str, stored: StoredHour, recorded_at: int) -> tuple[Change, int]:
            block, sent = stored.block, hours[name]
            known: Iterable[Any] = ()
            if stored.version and has_outdated(block, sent):
                past = self.past(meter_id, name, stored.version)
                known = (version for part in past for version in part.versions)
            return hour_changes.store(meter_id, block, sent, actor, recorded_at, known), 0

        names = sorted(hours)
        absent = self._count_stored(meter_id, names) if len(names) >= _COUNTED_FROM else set()
        counts, _ = self._change(meter_id, names, apply, absent)
        return counts

    def delete(self, meter_id: str, interval: Interval, actor: Actor | None = None) -> int:
        """Delete the readings of a meter in `interval`, and return how many; they stay in the history.

        Raises:
            TooManyReadingsError: there are more than one request may rewrite.
            OutcomeUnknownError: a response was lost; some may be deleted.
            BusyError: nothing is deleted: other writes came first in every attempt.
            PartlyAppliedError: the same, but some may be deleted.
        """
        first, end = interval.timestamps
        made_at = to_micros(self.now())

        def apply(_: str, stored: StoredHour, recorded_at: int) -> tuple[Change, int]:
            return hour_changes.delete(stored.block, first, end, actor, made_at, recorded_at)

        names = []
        count = 0
        for item in self._hours(meter_id, (first, end), ["sk", "facts", "count"]):
            count += count_of(item)
            names.append(item["sk"]["S"].removeprefix("HOUR#"))
            if count > MAX_STORED_READINGS or len(names) > MAX_HOURS:
                raise TooManyReadingsError("end")
        _, deleted = self._change(meter_id, names, apply)
        return deleted

    def rebuild_sums(self, meter_id: str) -> int:
        """Store the sums of the hours of a meter that have none, and return their number.

        An hour that another write has changed meanwhile has its sums from that write.
        """
        count = 0
        hours = HourWrites(self.table, meter_id)
        names = (
            item["sk"]["S"].removeprefix("HOUR#")
            for item in self._hours(meter_id, _ALL_TIME, ["sk", "facts"])
            if "facts" not in item
        )
        while batch := list(islice(names, _HOURS_AT_ONCE)):
            for item in self._get(meter_id, batch):
                stored = to_hour(item)
                if stored.block.sums is None:
                    block = replace(stored.block, sums=sum_quarters(stored.block.lines))
                    name = item["sk"]["S"].removeprefix("HOUR#")
                    change = Change(block, [], Counter(), is_change=True)
                    count += self._write_all(hours.of(name, stored.version, change))
        return count

    def _count_stored(self, meter_id: str, names: Sequence[str]) -> set[str]:
        """Return those of the hours named that are not stored.

        Raises:
            TooManyReadingsError: too much is stored in the others.
        """
        absent = set(names)
        count = 0
        for first in range(0, len(names), _HOURS_AT_ONCE):
            for item in self._get(meter_id, names[first : first + _HOURS_AT_ONCE], ["sk", "facts", "count"]):
                absent.discard(item["sk"]["S"].removeprefix("HOUR#"))
                count += count_of(item)
            if count > MAX_STORED_READINGS:
                raise TooManyReadingsError("readings")
        return absent

    def _change(
        self, meter_id: str, names: Sequence[str], apply: Apply, absent: Iterable[str] = ()
    ) -> tuple[Counts, int]:
        """Apply a request to the hours named, a hundred at a time."""
        try:
            return self._change_batches(meter_id, names, apply, absent)
        except BusyError as error:
            if len(names) == 1:
                raise
            raise PartlyAppliedError from error

    def _change_batches(
        self, meter_id: str, names: Sequence[str], apply: Apply, absent: Iterable[str]
    ) -> tuple[Counts, int]:
        rest = iter(names)
        batches = iter(lambda: list(islice(rest, _HOURS_AT_ONCE)), [])
        change = partial(self._change_batch, meter_id, apply, frozenset(absent))
        first = next(batches, [])
        if len(first) < _HOURS_AT_ONCE:
            return change(first)
        with ThreadPoolExecutor(_BATCHES_AT_ONCE) as pool:
            results = list(pool.map(change, chain([first], batches)))
        counts, deleted = Counts(), 0
        for part, count in results:
            counts, deleted = counts.plus(part), deleted + count
        return counts, deleted

    def _change_batch(
        self, meter_id: str, apply: Apply, absent: frozenset[str], names: Sequence[str]
    ) -> tuple[Counts, int]:
        counts, deleted = Counts(), 0
        writes = HourWrites(self.table, meter_id)
        for _ in attempts(_ATTEMPTS, _LONGEST_SECONDS):
            asked = [name for name in names if name not in absent]
            items = self._get(meter_id, asked) if asked else []
            stored = {item["sk"]["S"].removeprefix("HOUR#"): to_hour(item) for item in items}
            lost: list[str] = []
            hours = [(name, stored.get(name, StoredHour(HourBlock(), 0))) for name in names]
            # Rounded up: who has read at an earlier instant has not seen what is written now.
            recorded_at = whole_milliseconds(to_micros(self.now()) + MILLISECOND - 1)
            for transaction in writes.transactions(hours, apply, recorded_at):
                if not transaction.writes or self._write_all(transaction.writes):
                    counts, deleted = counts.plus(transaction.counts), deleted + transaction.deleted
                else:
                    lost += transaction.hours
            if not lost:
                return counts, deleted
            names, absent = lost, frozenset()
        raise BusyError

    def _get(self, meter_id: str, names: Sequence[str], attributes: Sequence[str] = ()) -> list[Any]:
        """Read the hours named that are stored, consistently."""
        keys = [{"pk": partition_of(meter_id), "sk": hour_key(name)} for name in names]
        return read_items(self.client, self.table, keys, attributes)

    def _write_all(self, writes: Sequence[Write]) -> bool:
        """Write all, or nothing if another upload has written one of these hours or is about to; return whether.

        A transaction even for one hour: its token recognises a resend, whose readings would otherwise count as known.
        """
        outcome = self.writer.transact_once([{"Put": write} for write in writes])
        match outcome:
            case Applied():
                return True
            case Refused():
                return False
            case NotApplied(error) if is_retryable(error):
                return False
            case NotApplied() | Unknown():
                raise error_of(outcome) from outcome.error
