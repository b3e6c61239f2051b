"""Readings in DynamoDB: one item for each hour of a meter.

Its body is the gzip-compressed block of lines that exports consist of, so that an export is little
more than reading, decompressing and writing.
"""

import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from domain.meters.readings import Interval, Meter, MeterKind, Reading, blocks_of, clip, merge
from domain.meters.simulation import simulate
from infra.aws import RANDOM, write_errors_classified
from infra.meters.meter_store import partition_of
from infra.outcomes import BusyError, PartlyAppliedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below.
IS_NEW = "attribute_not_exists(#pk)"
IS_UNCHANGED = "#version = :version"

_GZIP = 16 + zlib.MAX_WBITS

# DynamoDB takes 100 items and 4 MB at once.
_MAX_ITEMS = 100
_MAX_BYTES = 3_000_000
_BATCHES_AT_ONCE = 4
# Another upload was faster, or is at it; what is lost to it is merged again.
_LOST_RACES = {"ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "None"}
_MAX_ATTEMPTS = 20
_MAX_PAUSE = 0.5

Lines = Mapping[str, Sequence[bytes]]


class Counts(NamedTuple):
    """How many timestamps are new, and how many have changed."""

    stored: int
    updated: int


class _Hour(NamedTuple):
    block: bytes
    version: int


def _pause(attempt: int) -> float:
    """Return how many seconds to wait after `attempt`, with jitter."""
    return RANDOM.uniform(0, min(_MAX_PAUSE, 0.01 * 2**attempt))


class ReadingStore:
    """The readings of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def store(self, meter_id: str, readings: Iterable[Reading]) -> Counts:
        """Merge `readings` into what is stored of a meter; the last one of a timestamp wins.

        Uploads that meet lose nothing to each other. Sending the same readings again is harmless.

        Raises:
            OutcomeUnknownError: an answer was lost; some hours may be stored.
            BusyError: nothing is stored, since others were faster again and again, or DynamoDB had no time.
            PartlyAppliedError: the same, but some hours may be stored.
        """
        hours = blocks_of(meter_id, readings)
        names = iter(sorted(hours))
        batches = iter(lambda: {name: hours[name] for name in islice(names, _MAX_ITEMS)}, {})
        try:
            with ThreadPoolExecutor(_BATCHES_AT_ONCE) as pool:
                counts = list(pool.map(lambda batch: self._store_batch(meter_id, batch), batches))
        except BusyError as error:
            if len(hours) == 1:
                raise
            raise PartlyAppliedError from error
        return Counts(sum(count.stored for count in counts), sum(count.updated for count in counts))

    def _store_batch(self, meter_id: str, hours: Lines) -> Counts:
        stored = updated = 0
        for attempt in range(_MAX_ATTEMPTS):
            lost: list[str] = []
            for names, puts, counts in self._transactions(meter_id, hours):
                if self._put_all(puts):
                    stored, updated = stored + counts.stored, updated + counts.updated
                else:
                    lost += names
            if not lost:
                return Counts(stored, updated)
            hours = {name: hours[name] for name in lost}
            time.sleep(_pause(attempt))
        raise BusyError

    def _transactions(
        self, meter_id: str, hours: Lines
    ) -> Iterator[tuple[list[str], list[dict[str, Any]], Counts]]:
        """Merge `hours` into what is stored and give the writes, as many at once as DynamoDB takes."""
        known = self._read(meter_id, hours)
        names: list[str] = []
        puts: list[dict[str, Any]] = []
        size, counts = 0, Counts(0, 0)
        for name, lines in hours.items():
            before = known.get(name)
            merged = merge(before.block if before else b"", lines)
            if not merged.stored + merged.updated:
                continue
            body = _compress(merged.block)
            if size + len(body) > _MAX_BYTES:
                yield names, puts, counts
                names, puts, size, counts = [], [], 0, Counts(0, 0)
            names.append(name)
            puts.append(self._put_of(meter_id, name, body, merged.block.count(b"\n"), before))
            size += len(body)
            counts = Counts(counts.stored + merged.stored, counts.updated + merged.updated)
        if puts:
            yield names, puts, counts

    def _read(self, meter_id: str, names: Iterable[str]) -> dict[str, _Hour]:
        """Read the hours that are stored of those named, at most a hundred, consistently."""
        keys = [{"pk": partition_of(meter_id), "sk": _sort_key(name)} for name in names]
        request: Any = {self.table: {"Keys": keys, "ConsistentRead": True}}
        hours = {}
        for attempt in range(_MAX_ATTEMPTS):
            answer = self.client.batch_get_item(RequestItems=request)
            for item in answer["Responses"].get(self.table, []):
                block, version = _decompress(item["body"]["B"]), int(item["version"]["N"])
                hours[item["sk"]["S"].removeprefix("HOUR#")] = _Hour(block, version)
            request = answer.get("UnprocessedKeys")
            if not request:
                return hours
            time.sleep(_pause(attempt))
        raise ClientError(
            {
                "Error": {
                    "Code": "ProvisionedThroughputExceededException",
                    "Message": "keys stayed unprocessed",
                }
            },
            "BatchGetItem",
        )

    def _put_of(
        self, meter_id: str, name: str, body: bytes, count: int, before: _Hour | None
    ) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self.table,
            "Item": {
                "pk": partition_of(meter_id),
                "sk": _sort_key(name),
                "body": {"B": body},
                "count": {"N": str(count)},
                "version": {"N": str(before.version + 1 if before else 1)},
            },
        }
        if before is None:
            put |= {"ConditionExpression": IS_NEW, "ExpressionAttributeNames": {"#pk": "pk"}}
        else:
            put |= {
                "ConditionExpression": IS_UNCHANGED,
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(before.version)}},
            }
        return put

    def _put_all(self, puts: list[dict[str, Any]]) -> bool:
        """Write all or, where another upload was faster, nothing.

        A transaction even for one hour: it carries a token, so that a request which the SDK resends
        does not meet itself and count its readings as known.
        """
        try:
            with write_errors_classified():
                self.client.transact_write_items(TransactItems=[{"Put": put} for put in puts])  # type: ignore[typeddict-item]
        except ClientError as error:
            reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])}
            if reasons and reasons <= _LOST_RACES:
                return False
            raise BusyError from error
        return True

    def blocks(self, meter: Meter, interval: Interval, at_once: int | None = None) -> Iterator[bytes]:
        """Read the lines of `meter` in `interval`, an hour at a time, in the order of time.

        `at_once` is how many hours to ask for at a time where not all may be needed.
        """
        if meter.kind is MeterKind.SIMULATED:
            yield from simulate(meter.id, interval)
            return
        first, end = interval.stamps
        for body in self._bodies(meter.id, first.decode(), end.decode(), at_once):
            if block := clip(_decompress(body), first, end):
                yield block

    def _bodies(self, meter_id: str, first: str, end: str, at_once: int | None) -> Iterator[bytes]:
        if first >= end:
            return
        limit: Any = {"Limit": at_once} if at_once else {}
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="#pk = :meter AND #sk BETWEEN :first AND :last",
            # Nothing but the body: what botocore parses is most of what an export costs.
            ProjectionExpression="#body",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk", "#body": "body"},
            ExpressionAttributeValues={
                ":meter": partition_of(meter_id),
                ":first": _sort_key(first[:13]),
                # The hour that begins with the end is read too, and clipped to nothing.
                ":last": _sort_key(end[:13]),
            },
            ConsistentRead=True,
            **limit,
        )
        for page in pages:
            for item in page["Items"]:
                yield item["body"]["B"]


def _sort_key(hour: str) -> dict[str, str]:
    return {"S": f"HOUR#{hour}"}


def _compress(block: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=_GZIP)
    return compressor.compress(block) + compressor.flush()


def _decompress(body: bytes) -> bytes:
    return zlib.decompress(body, _GZIP)
