"""The content of files of contracts: read from their table a page at a time, in the order of their numbers."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.timelines import Span, timeline
from domain.contracts.trails import Entry, Row
from domain.exports import ContractsOrder, Format
from domain.instants import format_instant
from domain.portfolio.entries import KnownSpan
from infra.batch_reads import read_items
from infra.contracts.contract_items import KIND, key_of, read_contract
from infra.contracts.contract_store import ContractStore
from infra.contracts.trail_store import TrailStore
from infra.exports.trail_rows import show_row
from infra.parallel import in_parallel

HEADER = b"contract_number,component,start,end\r\n"

_PAGE = 1000
_CONTRACTS_OF_A_READ = 100
_READS_AT_ONCE = 8
_ROWS_AT_ONCE = 500
_BLOCK_CHARACTERS = 256 * 1024


class Block(NamedTuple):
    """Some text of the file, and how many contracts have been read up to its end."""

    text: bytes
    contracts: int


class ContractLines:
    """Makes the lines of files of contracts, in constant memory."""

    def __init__(self, contracts: ContractStore, trails: TrailStore | None) -> None:
        self.contracts = contracts
        self.trails = trails

    def count(self) -> int:
        """Return about how many contracts there are; this costs a tenth of reading them."""
        pages = self.contracts.client.get_paginator("query").paginate(
            TableName=self.contracts.table,
            IndexName="listing",
            KeyConditionExpression="#kind = :kind",
            ExpressionAttributeNames={"#kind": "kind"},
            ExpressionAttributeValues={":kind": {"S": KIND}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def blocks(self, order: ContractsOrder) -> Iterator[Block]:
        """Yield the file that `order` describes, without its header.

        Each contract is in it as it is when it is read, consistently.
        """
        count, length = 0, 0
        pending: list[str] = []
        for count, contract in enumerate(self._contracts(), start=1):
            for text in self._lines(contract, order):
                pending.append(text)
                length += len(text)
                if length >= _BLOCK_CHARACTERS:
                    yield Block("".join(pending).encode(), count)
                    pending, length = [], 0
        yield Block("".join(pending).encode(), count)

    def _contracts(self) -> Iterator[Contract]:
        """Yield all contracts in the order of their numbers."""
        after = None
        while True:
            page = self.contracts.page(_PAGE, after)
            numbers = [contract.number for contract in page.contracts]
            batches = [
                numbers[first : first + _CONTRACTS_OF_A_READ]
                for first in range(0, len(numbers), _CONTRACTS_OF_A_READ)
            ]
            yield from in_parallel(self._read, batches, _READS_AT_ONCE)
            after = page.next_after
            if after is None:
                return

    def _read(self, numbers: list[str]) -> list[Contract]:
        """Read those of the contracts that still exist, in the order given."""
        keys = [key_of(number) for number in numbers]
        contracts = map(read_contract, read_items(self.contracts.client, self.contracts.table, keys))
        found = {contract.number: contract for contract in contracts if contract}
        return [found[number] for number in numbers if number in found]

    def _lines(self, contract: Contract, order: ContractsOrder) -> Iterator[str]:
        """Yield the text of a contract in the file, if any."""
        spans = {
            component: span
            for component, span in timeline(contract).items()
            if _is_asked(component, span, order)
        }
        if not spans:
            return
        if order.format is Format.CSV:
            for component, span in spans.items():
                yield f"{contract.number},{component},{_text(span.start)},{_text(span.end)}\r\n"
            return
        shown = {
            "contract_number": contract.number,
            "created_at": format_instant(contract.created_at),
            "components": {
                component: {"start": _text(span.start) or None, "end": _text(span.end) or None}
                for component, span in spans.items()
            },
        }
        line = _compact(shown)
        if not order.trail or self.trails is None:
            yield f"{line}\n"
            return
        yield f'{line[:-1]},"events":['
        comma = ""
        for row in self._rows(contract, order.component):
            yield comma + _compact(show_row(row))
            comma = ","
        yield "]}\n"

    def _rows(self, contract: Contract, component: Component | None) -> Iterator[Row]:
        """Yield the events of all components or of one, and all corrections, in the order of arrival."""
        after = None
        while self.trails is not None:
            page = self.trails.page(contract.number, contract.generation, _ROWS_AT_ONCE, after, {})
            for row in page.rows:
                if component is None or not isinstance(row, Entry) or row.event.type.component is component:
                    yield row
            after = page.next_after
            if after is None:
                return


def _is_asked(component: Component, span: Span, order: ContractsOrder) -> bool:
    if order.component not in (None, component):
        return False
    if order.on is None:
        return True
    return span.start is not None and KnownSpan(span.start, span.end).is_active(order.on)


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""


def _compact(value: Any) -> str:  # noqa: ANN401 - whatever JSON can say
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
