"""Reads lines and versions of readings, as they are now or as they were known at an earlier instant."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.instants import to_micros
from domain.meters.csv_format import ExtraColumn, append_columns, clip, split_clipped
from domain.meters.history import Version, known_at, version_in_force, versions_in
from domain.meters.readings import Interval, Meter, MeterKind, format_timestamp, hour_of
from domain.meters.simulation import simulate
from domain.meters.versions import FORMER, HourBlock, Origin, PastVersions
from infra.meters.meter_store import partition_of
from infra.meters.reading_items import (
    changed_at_of,
    decompress,
    hour_key,
    past_prefix,
    to_block,
    to_past,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MAX_PAST_QUERIES = 20

Timestamps = tuple[bytes, bytes]


class Block(NamedTuple):
    """The lines of one hour that were asked for; one origin for each line, or one for all."""

    lines: bytes
    origins: Sequence[Origin]


class VersionPage(NamedTuple):
    """Some versions of a reading, the one in force last, and where the next page starts, if anywhere."""

    versions: list[Version]
    next_position: str | None


class ReadingQueries:
    """Reads the readings of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def lines(
        self,
        meter: Meter,
        interval: Interval,
        columns: Sequence[ExtraColumn] = (),
        known_at: datetime | None = None,
    ) -> Iterator[bytes]:
        """Read the lines of `meter` in `interval`, an hour at a time, with the extra `columns`."""
        if meter.kind is MeterKind.METERED and not columns:
            yield from self._stored_lines(meter.id, interval.timestamps, known_at)
            return
        for block in self.blocks(meter, interval, known_at):
            yield append_columns(*block, columns) if columns else block.lines

    def _stored_lines(
        self, meter_id: str, timestamps: Timestamps, known_at: datetime | None
    ) -> Iterator[bytes]:
        """Yield lines without their origins; an hour that has not changed since `known_at` is only decompressed."""
        # Only what is needed: most of the cost of an export is what botocore parses.
        names = ["body"] if known_at is None else ["sk", "body", "facts", "version"]
        for item in self._hours(meter_id, timestamps, names):
            if known_at is not None and is_changed_after(changed_at_of(item), known_at):
                lines = self._known(meter_id, item, known_at).lines
            else:
                lines = decompress(item["body"]["B"])
            if clipped := clip(lines, *timestamps):
                yield clipped

    def blocks(
        self,
        meter: Meter,
        interval: Interval,
        known_at: datetime | None = None,
        at_once: int | None = None,
    ) -> Iterator[Block]:
        """Read lines with their origins, an hour at a time, in the order of time.

        `at_once` limits how many hours one query reads, if not all may be needed.
        """
        if meter.kind is MeterKind.SIMULATED:
            for lines in simulate(meter.id, interval):
                yield Block(lines, (FORMER,))
            return
        first, end = interval.timestamps
        for item in self._hours(meter.id, (first, end), ["sk", "body", "facts", "version"], at_once):
            block = self._known(meter.id, item, known_at)
            if clip(block.lines, first, end) == block.lines:
                inside, origins = block.lines, block.origins
            else:
                clipped, where = split_clipped(block.lines, first, end)
                inside, origins = b"".join(clipped), block.origins_by_line()[where]
            if inside:
                yield Block(inside, origins)

    def versions(self, meter_id: str, at: datetime, limit: int, position: str | None) -> VersionPage:
        """List the versions of the reading at `at` in the order they were replaced or came too late; that in force is last.

        A page ends early if very many other readings of the hour were corrected.
        """
        key = {"pk": partition_of(meter_id), "sk": hour_key(hour_of(at))}
        answer = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True)
        if "Item" not in answer or at.microsecond:
            return VersionPage([], None)
        timestamp = format_timestamp(at).encode()
        start, shown = position.rsplit("#", 1) if position else ("", "0")
        found: list[Version] = []
        pages = self._past_pages(meter_id, answer["Item"], start)
        for items in islice(pages, _MAX_PAST_QUERIES):
            for item in items:
                name, count = item["sk"]["S"], 0
                for count, version in enumerate(versions_in(to_past(item), timestamp), start=1):
                    if name == start and count <= int(shown):
                        continue
                    if len(found) == limit:
                        return VersionPage(found, position)
                    found.append(version)
                    position = f"{name}#{count}"
                position = f"{name}#{count}"
        current = version_in_force(to_block(answer["Item"]), timestamp)
        if next(pages, None) or (current and len(found) == limit):
            return VersionPage(found, position)
        return VersionPage([*found, current] if current else found, None)

    def _known(self, meter_id: str, item: Any, known_at_instant: datetime | None) -> HourBlock:  # noqa: ANN401
        """Return an hour's block as it was known; hours that have not changed since then need no other item."""
        block = to_block(item)
        if known_at_instant is None or not is_changed_after(block.changed_at, known_at_instant):
            return block
        instant = to_micros(known_at_instant)
        return known_at(block, self._past_after(meter_id, item, instant), instant)

    def _past_after(self, meter_id: str, hour: Any, instant: int) -> Iterator[PastVersions]:  # noqa: ANN401
        """Yield the versions that were replaced after `instant`, the newest first."""
        for items in self._past_pages(meter_id, hour, newest_first=True):
            for item in items:
                past = to_past(item)
                if past.replaced_at <= instant:
                    return
                yield past

    def past(self, meter_id: str, hour: str, version: int) -> Iterator[PastVersions]:
        """Yield all past versions of an hour up to the write `version`, in the order of the writes."""
        item = {"sk": hour_key(hour), "version": {"N": str(version)}}
        for items in self._past_pages(meter_id, item):
            yield from map(to_past, items)

    def _past_pages(
        self,
        meter_id: str,
        hour: Any,  # noqa: ANN401 - an item as boto3 reads it
        start: str = "",
        *,
        newest_first: bool = False,
    ) -> Iterator[list[Any]]:
        """Yield the items of past versions, from the sort key `start`, up to the write that made the item `hour`."""
        prefix = past_prefix(hour["sk"]["S"].removeprefix("HOUR#"))
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="#pk = :meter AND #sk BETWEEN :first AND :last",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
            ExpressionAttributeValues={
                ":meter": partition_of(meter_id),
                ":first": {"S": start or prefix},
                # Not those of a later write, which are in force in the item.
                ":last": {"S": f"{prefix}{int(hour['version']['N']):010d}#~"},
            },
            ScanIndexForward=not newest_first,
            ConsistentRead=True,
        )
        for page in pages:
            yield page["Items"]

    def _hours(
        self, meter_id: str, timestamps: Timestamps, names: Sequence[str], at_once: int | None = None
    ) -> Iterator[Any]:
        """Yield the items of the hours that an interval touches, with the attributes named."""
        first, end = (timestamp.decode() for timestamp in timestamps)
        if first >= end:
            return
        limit: Any = {"Limit": at_once} if at_once else {}
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="#pk = :meter AND #sk BETWEEN :first AND :last",
            ProjectionExpression=",".join(f"#{name}" for name in names),
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"} | {f"#{name}": name for name in names},
            ExpressionAttributeValues={
                ":meter": partition_of(meter_id),
                ":first": hour_key(first[:13]),
                # The hour that starts at the end is read too, and clipped to nothing.
                ":last": hour_key(end[:13]),
            },
            ConsistentRead=True,
            **limit,
        )
        for page in pages:
            yield from page["Items"]


def is_changed_after(changed_at: int, known_at: datetime | None) -> bool:
    """Return whether an hour that was last changed at `changed_at` has changed since `known_at`."""
    return known_at is not None and changed_at > to_micros(known_at)
