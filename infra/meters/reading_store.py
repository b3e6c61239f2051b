"""Storing readings in DynamoDB: one item for each hour of a meter, and items beside it for past versions.

A write reads the hours it touches, applies the readings to them (`domain.meters.corrections`), and stores each
hour together with the versions it put aside, on condition that the hour is still the one that was read.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.actors import Actor
from domain.instants import to_micros
from domain.meters import corrections
from domain.meters.corrections import Change, Effect, has_outdated
from domain.meters.readings import Interval, Reading
from domain.meters.sums import sum_quarters
from domain.meters.uploads import MAX_HOURS, MAX_STORED_READINGS, TooManyReadingsError
from domain.meters.versions import HourBlock
from infra.batch_reads import read_items
from infra.conditional_writes import Writer
from infra.meters.meter_store import partition_of
from infra.meters.reading_items import StoredHour, count_of, hour_item, hour_key, past_items, to_hour
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

# Conditions of the writes below. An hour may have been written by another upload; past versions are named
# by the write that put them aside, so that only a resend of that write can meet them.
IS_NEW = "attribute_not_exists(#pk)"
IS_UNCHANGED = "#version = :version"

# DynamoDB takes 100 items and 4 MB at once.
_MAX_ITEMS = 100
_MAX_BYTES = 3_000_000
_BATCHES_AT_ONCE = 4
_REBUILT_AT_ONCE = 100
_ALL_TIME = (b"2000-01-01T00:00:00Z", b"2101-01-02T00:00:00Z")
_COUNTED_FROM = 250
"""From so many hours on, what is stored of them is counted before the first write."""
_ATTEMPTS = 20
_LONGEST_SECONDS = 10.0
"""No attempt at a batch starts later than this."""

Write = dict[str, Any]
Apply = Callable[[str, StoredHour, int], tuple[Change, int]]
"""What a request makes of an hour: its name, what is stored, and the instant of recording; with a count of its own."""


class Counts(NamedTuple):
    """How many readings were received, and what they did."""

    received: int = 0
    stored: int = 0
    updated: int = 0
    unchanged: int = 0
    outdated: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Add the counts of another part of the same request."""
        return Counts(*(one + more for one, more in zip(self, other, strict=True)))


class _Transaction(NamedTuple):
    """Writes that are applied together, the hours they are of, and what they count."""

    hours: list[str]
    writes: list[Write]
    counts: Counts
    deleted: int


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ReadingStore(SumQueries):
    """The readings of one table."""

    now: Callable[[], datetime] = staticmethod(_utc_now)

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        super().__init__(client, table)
        self.writer = Writer(client)

    def store(self, meter_id: str, readings: Iterable[Reading], actor: Actor | None = None) -> Counts:
        """Store `readings` of a meter; which of a timestamp counts, their `created_at` says.

        Uploads that meet lose nothing to each other. Sending the same readings again is harmless.

        Raises:
            TooManyReadingsError: more is stored in the hours they touch than one request may rewrite.
            OutcomeUnknownError: an answer was lost; some hours may be stored.
            BusyError: nothing is stored, since others were faster again and again, or DynamoDB had no time.
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
            return corrections.store(meter_id, block, sent, actor, recorded_at, known), 0

        names = sorted(hours)
        absent = self._count_stored(meter_id, names) if len(names) >= _COUNTED_FROM else set()
        counts, _ = self._change(meter_id, names, apply, absent)
        return counts

    def delete(self, meter_id: str, interval: Interval, actor: Actor | None = None) -> int:
        """Delete the readings of a meter in `interval`, and return how many; they stay in the history.

        Raises:
            TooManyReadingsError: there are more than one request may rewrite.
            OutcomeUnknownError: an answer was lost; some may be deleted.
            BusyError: nothing is deleted, since others were faster again and again.
            PartlyAppliedError: the same, but some may be deleted.
        """
        first, end = interval.timestamps
        made_at = to_micros(self.now())

        def apply(_: str, stored: StoredHour, recorded_at: int) -> tuple[Change, int]:
            return corrections.delete(stored.block, first, end, actor, made_at, recorded_at)

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
        """Store the sums of the hours of a meter that have none, and return how many those were.

        An hour that another write has changed meanwhile has got its sums by that.
        """
        count = 0
        names = (
            item["sk"]["S"].removeprefix("HOUR#")
            for item in self._hours(meter_id, _ALL_TIME, ["sk", "facts"])
            if "facts" not in item
        )
        while batch := list(islice(names, _REBUILT_AT_ONCE)):
            for item in self._get(meter_id, batch):
                stored = to_hour(item)
                if stored.block.sums is None:
                    block = replace(stored.block, sums=sum_quarters(stored.block.lines))
                    name = item["sk"]["S"].removeprefix("HOUR#")
                    change = Change(block, [], Counter(), is_change=True)
                    count += self._write_all(self._writes(meter_id, name, stored.version, change))
        return count

    def _count_stored(self, meter_id: str, names: Sequence[str]) -> set[str]:
        """Return the hours of those named of which nothing is stored.

        Raises:
            TooManyReadingsError: too much is stored in the others.
        """
        absent = set(names)
        count = 0
        for first in range(0, len(names), _MAX_ITEMS):
            for item in self._get(meter_id, names[first : first + _MAX_ITEMS], ["sk", "facts", "count"]):
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
        batches = iter(lambda: list(islice(rest, _MAX_ITEMS)), [])
        change = partial(self._change_batch, meter_id, apply, frozenset(absent))
        first = next(batches, [])
        if len(first) < _MAX_ITEMS:
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
        for _ in attempts(_ATTEMPTS, _LONGEST_SECONDS):
            asked = [name for name in names if name not in absent]
            items = self._get(meter_id, asked) if asked else []
            stored = {item["sk"]["S"].removeprefix("HOUR#"): to_hour(item) for item in items}
            lost: list[str] = []
            for transaction in self._transactions(meter_id, names, stored, apply):
                if not transaction.writes or self._write_all(transaction.writes):
                    counts, deleted = counts.plus(transaction.counts), deleted + transaction.deleted
                else:
                    lost += transaction.hours
            if not lost:
                return counts, deleted
            names, absent = lost, frozenset()
        raise BusyError

    def _transactions(
        self, meter_id: str, names: Iterable[str], stored: Mapping[str, StoredHour], apply: Apply
    ) -> Iterator[_Transaction]:
        """Apply a request to hours and give the writes, as many at once as DynamoDB takes."""
        now = to_micros(self.now())
        gathered = _Transaction([], [], Counts(), 0)
        size = 0
        for name in names:
            before = stored.get(name, StoredHour(HourBlock(), 0))
            # The versions of an hour are recorded one after another, whatever the clocks say.
            recorded_at = max(now, before.block.changed_at + 1)
            change, deleted = apply(name, before, recorded_at)
            writes = self._writes(meter_id, name, before.version, change) if change.is_change else []
            bytes_of_hour = sum(_size_of(write) for write in writes)
            if gathered.writes and (
                size + bytes_of_hour > _MAX_BYTES or len(gathered.writes) + len(writes) > _MAX_ITEMS
            ):
                yield gathered
                gathered, size = _Transaction([], [], Counts(), 0), 0
            counts = gathered.counts.plus(_counts_of(change))
            gathered = _Transaction(
                [*gathered.hours, name], gathered.writes + writes, counts, gathered.deleted + deleted
            )
            size += bytes_of_hour
        yield gathered

    def _writes(self, meter_id: str, name: str, before: int, change: Change) -> list[Write]:
        """Return the writes that store an hour, and beside it the versions that were put aside."""
        key = {"pk": partition_of(meter_id)}
        item = key | {"sk": hour_key(name)} | hour_item(change.block, before + 1)
        is_new = {"ConditionExpression": IS_NEW, "ExpressionAttributeNames": {"#pk": "pk"}}
        is_unchanged = {
            "ConditionExpression": IS_UNCHANGED,
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(before)}},
        }
        past = past_items(name, before + 1, change.past, change.block.changed_at)
        return [
            {"TableName": self.table, "Item": item, **(is_unchanged if before else is_new)},
            *({"TableName": self.table, "Item": key | attributes, **is_new} for attributes in past),
        ]

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


def _size_of(write: Write) -> int:
    return sum(len(write["Item"][name]["B"]) for name in ("body", "facts"))


def _counts_of(change: Change) -> Counts:
    return Counts(change.effects.total(), *(change.effects[effect] for effect in Effect))
