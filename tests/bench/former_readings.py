"""How readings were uploaded, stored and exported before they had versions: the peer that costs are compared with.

The same requests to the same engine: read the hours, merge the lines, put the hours in one transaction.
"""

import csv
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.instants import parse_instant
from domain.meters.csv_format import COLUMNS, clip
from domain.meters.decimals import read_decimal
from domain.meters.readings import Interval

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_GZIP = 16 + zlib.MAX_WBITS
_STAMP = 20
_PLAIN = re.compile(r"20\d\d-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII)


class FormerReading(NamedTuple):
    """A reading with its four values."""

    at: datetime
    energy_kwh: str
    power_kw: str
    voltage_v: str
    current_a: str


def read_csv(text: str, meter_id: str) -> list[FormerReading]:
    """Read a file line by line, as it was read."""
    _, *lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    readings = [_read_line(line, meter_id) for line in lines if line]
    hours = {_hour_of(reading.at) for reading in readings}
    assert len(hours) <= 9000
    firsts: dict[datetime, int] = {}
    for index, reading in enumerate(readings):
        first = firsts.setdefault(reading.at, index)
        assert first == index or readings[first] == reading
    return readings


def _read_line(line: str, meter_id: str) -> FormerReading:
    fields = line.split(",") if '"' not in line else next(csv.reader([line], strict=True))
    assert len(fields) == len(COLUMNS)
    at, line_meter_id, *values = fields
    assert line_meter_id == meter_id
    instant = datetime.fromisoformat(at) if _PLAIN.fullmatch(at) else parse_instant(at)
    assert not instant.microsecond
    assert instant < datetime(2100, 1, 1, tzinfo=UTC)
    return FormerReading(instant, *[read_decimal(value) for value in values])  # type: ignore[arg-type]


def _hour_of(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()[:13]


def _format_line(meter_id: str, reading: FormerReading) -> bytes:
    stamp = reading.at.astimezone(UTC).isoformat()[:19] + "Z"
    return f"{stamp},{meter_id},{','.join(reading[1:])}\r\n".encode()


class FormerStore:
    """The readings of one table, as they were stored."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def store(self, meter_id: str, readings: Iterable[FormerReading]) -> int:
        """Merge `readings` into what is stored; return how many are new."""
        hours: dict[str, list[bytes]] = {}
        for reading in readings:
            hours.setdefault(_hour_of(reading.at), []).append(_format_line(meter_id, reading))
        names = iter(sorted(hours))
        batches = iter(lambda: {name: hours[name] for name in islice(names, 100)}, {})
        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(lambda batch: self._store_batch(meter_id, batch), batches))

    def _store_batch(self, meter_id: str, hours: Mapping[str, Sequence[bytes]]) -> int:
        keys: Any = [_key(meter_id, name) for name in hours]
        answer = self.client.batch_get_item(RequestItems={self.table: {"Keys": keys, "ConsistentRead": True}})
        known = {item["sk"]["S"]: item for item in answer["Responses"].get(self.table, [])}
        puts: list[Any] = []
        stored = 0
        for name, lines in hours.items():
            item = known.get(f"HOUR#{name}")
            block = zlib.decompress(item["body"]["B"], _GZIP) if item else b""
            merged, new = _merge(block, lines)
            stored += new
            version = int(item["version"]["N"]) if item else 0
            puts.append({"Put": self._put_of(meter_id, name, merged, version)})
        self.client.transact_write_items(TransactItems=puts)
        return stored

    def _put_of(self, meter_id: str, name: str, block: bytes, version: int) -> dict[str, Any]:
        compressor = zlib.compressobj(wbits=_GZIP)
        item = _key(meter_id, name) | {
            "body": {"B": compressor.compress(block) + compressor.flush()},
            "count": {"N": str(block.count(b"\n"))},
            "version": {"N": str(version + 1)},
        }
        put: dict[str, Any] = {"TableName": self.table, "Item": item}
        if not version:
            return put | {
                "ConditionExpression": "attribute_not_exists(#pk)",
                "ExpressionAttributeNames": {"#pk": "pk"},
            }
        return put | {
            "ConditionExpression": "#version = :version",
            "ExpressionAttributeNames": {"#version": "version"},
            "ExpressionAttributeValues": {":version": {"N": str(version)}},
        }

    def blocks(self, meter_id: str, interval: Interval) -> Iterator[bytes]:
        """Read the lines of an interval, as an export did."""
        first, end = interval.timestamps
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            KeyConditionExpression="#pk = :meter AND #sk BETWEEN :first AND :last",
            ProjectionExpression="#body",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk", "#body": "body"},
            ExpressionAttributeValues={
                ":meter": {"S": f"METER#{meter_id}"},
                ":first": {"S": f"HOUR#{first.decode()[:13]}"},
                ":last": {"S": f"HOUR#{end.decode()[:13]}"},
            },
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                if block := clip(zlib.decompress(item["body"]["B"], _GZIP), first, end):
                    yield block


def _key(meter_id: str, name: str) -> dict[str, Any]:
    return {"pk": {"S": f"METER#{meter_id}"}, "sk": {"S": f"HOUR#{name}"}}


def _merge(block: bytes, lines: Iterable[bytes]) -> tuple[bytes, int]:
    before = {line[:_STAMP]: line for line in block.splitlines(keepends=True)}
    sent = {line[:_STAMP]: line for line in lines}
    new = {at: line for at, line in sent.items() if not _is_known(line, before.get(at))}
    after = before | new
    return b"".join(after[at] for at in sorted(after)), len(after) - len(before)


def _is_known(line: bytes, before: bytes | None) -> bool:
    return before is not None and (line == before or _numbers(line) == _numbers(before))


def _numbers(line: bytes) -> list[Decimal]:
    return list(map(Decimal, line.decode().rstrip().split(",")[2:]))
