"""Rebuilds the portfolio from the table of contracts, or compares both, while the service runs.

Three checks, each of which repairs or only reports the differences: every contract has its entry and its logged
events; every entry has its contract and its rows, and each row has an entry; the counters are those of the rows.
The scans here are the only ones: neither a request nor the stream causes one.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from domain.portfolio.entries import Entry, Row, rows_of
from infra.batch_reads import read_items
from infra.contracts.contract_items import key_of
from infra.parallel import in_parallel
from infra.portfolio.check_counters import CounterCheck
from infra.portfolio.event_log import EventLog, is_decided_event, log_key
from infra.portfolio.follow_stream import entry_of
from infra.portfolio.portfolio_items import (
    Item,
    Key,
    entry_key,
    is_entry,
    is_row,
    read_entry,
    read_row,
    row_key,
)
from infra.portfolio.portfolio_store import PortfolioStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_THREADS = 8
_ITEMS_OF_A_CHECK = 100
_ATTEMPTS = 8
_REPORT_EVERY = 10_000
_SETTLE_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""A change reaches the portfolio within seconds; what still differs after these pauses is a difference."""

_One = TypeVar("_One")


@dataclass
class Rebuild:
    """Checks the portfolio of one table against the contracts of another; with `repair`, corrects it.

    With `resume` the position in the scan of contracts is stored in the portfolio's table, so that an interrupted
    rebuild continues there.
    """

    client: "DynamoDBClient"
    contracts_table: str
    portfolio: PortfolioStore
    log: EventLog
    repair: bool
    resume: bool = False
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    differences: list[str] = field(default_factory=list)

    def run(self) -> Iterator[str]:
        """Do the three checks, and yield their progress. `differences` contains what was found, repaired or not."""
        yield from self._check_contracts()
        yield from self._check_portfolio()
        counters = CounterCheck(self.portfolio, repair=self.repair, sleep=self.sleep)
        for difference in counters.run():
            self.differences.append(difference)
        yield "counters compared"

    # --- contracts to entries -----------------------------------------------------------------------

    def _check_contracts(self) -> Iterator[str]:
        count, suspects = 0, list[str]()
        start = self._position()
        while True:
            page = self.client.scan(
                TableName=self.contracts_table,
                ConsistentRead=True,
                **({"ExclusiveStartKey": start} if start else {}),
            )
            contracts = [item for item in page["Items"] if item["sk"]["S"] == "CONTRACT"]
            suspects += in_parallel(self._suspects, _chunks(contracts, _ITEMS_OF_A_CHECK), _THREADS)
            if self.repair:
                suspects = self._unsettled(suspects, rounds=1)
            events = [item for item in page["Items"] if is_decided_event(item)]
            self.differences += in_parallel(
                self._missing_events, _chunks(events, _ITEMS_OF_A_CHECK), _THREADS
            )
            if (count + len(contracts)) // _REPORT_EVERY > count // _REPORT_EVERY:
                yield f"{count + len(contracts):,} contracts compared …"
            count += len(contracts)
            start = page.get("LastEvaluatedKey")
            self._store_position(start)
            if not start:
                break
        for number in self._unsettled(suspects, rounds=len(_SETTLE_SECONDS)):
            self.differences.append(f"contract {number}: its entry differs from the contract")
        yield f"{count:,} contracts compared"

    def _suspects(self, contracts: Sequence[Item]) -> list[str]:
        """Return the numbers of the contracts whose entries differ from these images of them."""
        wanted = {number: entry_of(number, item) for number, item in map(_numbered, contracts)}
        entries = _entries(
            read_items(self.client, self.portfolio.table, [entry_key(number) for number in wanted])
        )
        return [number for number, entry in wanted.items() if entries.get(number) != entry]

    def _unsettled(self, numbers: Sequence[str], rounds: int) -> list[str]:
        """Compare, and repair if asked to, a few times; return the numbers that still differ."""
        for pause in _SETTLE_SECONDS[:rounds]:
            if not numbers:
                return []
            self.sleep(pause)
            numbers = in_parallel(
                lambda number: [] if self._is_equal(number) else [number], list(numbers), _THREADS
            )
        return list(numbers)

    def _is_equal(self, number: str) -> bool:
        """Return whether an entry equals that of its contract, after repairing it if asked to.

        The entry is read first, so the contract is as new or newer, unless the table of contracts was restored
        from a backup: in both cases the contract is right.
        """
        for _ in range(_ATTEMPTS):
            stored = self.portfolio.get(number)
            answer = self.client.get_item(
                TableName=self.contracts_table, Key=key_of(number), ConsistentRead=True
            )
            item = answer.get("Item")
            wanted = entry_of(number, item) if item else None
            if stored == wanted:
                return True
            if not self.repair:
                return False
            if self.portfolio.replace(stored, wanted):
                self.differences.append(f"contract {number}: entry stored")
                return True
        return False

    def _missing_events(self, rows: Sequence[Item]) -> list[str]:
        """Return the decided events that are missing in the log although their day is still kept; repair adds them."""
        today = self.now().date()
        kept = {str(log_key(row)): row for row in rows if self.log.keeps_row(row, today)}
        found = read_items(self.client, self.portfolio.table, [log_key(row) for row in kept.values()])
        logged = {str({"pk": item["pk"], "sk": item["sk"]}) for item in found}
        missing = [row for key, row in kept.items() if key not in logged]
        if self.repair:
            for row in missing:
                self.log.add(row, today)
        return [
            f"contract {row['number']['S']}: event {row['key']['S']} is not in the log" for row in missing
        ]

    # --- entries to contracts and rows --------------------------------------------------------------

    def _check_portfolio(self) -> Iterator[str]:
        count, suspects = 0, list[str]()
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.portfolio.table, ConsistentRead=True
        )
        for page in pages:
            entries = [read_entry(item) for item in page["Items"] if is_entry(item)]
            rows = [read_row(item) for item in page["Items"] if is_row(item)]
            suspects += in_parallel(self._without_contract, _chunks(entries, _ITEMS_OF_A_CHECK), _THREADS)
            differing = in_parallel(self._missing_rows, _chunks(entries, _ITEMS_OF_A_CHECK), _THREADS)
            differing += in_parallel(self._stray_rows, _chunks(rows, _ITEMS_OF_A_CHECK), _THREADS)
            self.differences += in_parallel(self._repair_row, differing, _THREADS)
            count += len(rows)
        for number in self._unsettled(suspects, rounds=len(_SETTLE_SECONDS)):
            self.differences.append(f"contract {number}: it has an entry but does not exist")
        yield f"{count:,} rows compared"

    def _without_contract(self, entries: Sequence[Entry]) -> list[str]:
        found = read_items(self.client, self.contracts_table, [key_of(entry.number) for entry in entries])
        numbers = {number for number, _ in map(_numbered, found)}
        return [entry.number for entry in entries if entry.number not in numbers]

    def _missing_rows(self, entries: Sequence[Entry]) -> list[Row]:
        """Return the rows of these entries that are missing or differ."""
        wanted = [row for entry in entries for row in rows_of(entry)]
        keys = [row_key(row) for row in wanted]
        found = set(map(read_row, read_items(self.client, self.portfolio.table, keys)))
        return [row for row in wanted if row not in found]

    def _stray_rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return those of these rows that belong to no entry."""
        numbers = {row.number for row in rows}
        entries = _entries(
            read_items(self.client, self.portfolio.table, [entry_key(number) for number in numbers])
        )
        return [row for row in rows if row not in rows_of(entries.get(row.number))]

    def _repair_row(self, row: Row) -> list[str]:
        """Compare a row with its entry again, and repair it if asked to; return the difference, if there is one."""
        for _ in range(_ATTEMPTS):
            before = self.portfolio.get(row.number)
            answer = self.client.get_item(
                TableName=self.portfolio.table, Key=row_key(row), ConsistentRead=True
            )
            stored = read_row(answer["Item"]) if "Item" in answer else None
            wanted = next((one for one in rows_of(before) if row_key(one) == row_key(row)), None)
            if stored == wanted:
                return []
            if self.portfolio.get(row.number) != before:
                continue
            if not self.repair or self.portfolio.repair_row(before, row, wanted):
                return [f"contract {row.number}: a row of {row.partition.component} differs from its entry"]
        return [f"contract {row.number}: changed during every attempt"]

    # --- the position in the scan ---------------------------------------------------------------------

    def _position(self) -> Any:  # noqa: ANN401 - a key as DynamoDB has it
        if not self.resume:
            return None
        answer = self.client.get_item(TableName=self.portfolio.table, Key=_POSITION_KEY, ConsistentRead=True)
        return answer["Item"]["place"]["M"] if "Item" in answer else None

    def _store_position(self, position: Any) -> None:  # noqa: ANN401 - a key as DynamoDB has it
        if not self.resume:
            return
        # Without conditions: every stored position is one up to which all contracts were compared.
        if position:
            self.client.put_item(
                TableName=self.portfolio.table, Item=_POSITION_KEY | {"place": {"M": position}}
            )
        else:
            self.client.delete_item(TableName=self.portfolio.table, Key=_POSITION_KEY)


_POSITION_KEY: Key = {"pk": {"S": "REBUILD"}, "sk": {"S": "PLACE"}}


def _numbered(item: Item) -> tuple[str, Item]:
    return item["pk"]["S"].partition("#")[2], item


def _entries(items: Iterable[Item]) -> dict[str, Entry]:
    return {entry.number: entry for entry in map(read_entry, items)}


def _chunks(values: Sequence[_One], size: int) -> list[Sequence[_One]]:
    return [values[first : first + size] for first in range(0, len(values), size)]
