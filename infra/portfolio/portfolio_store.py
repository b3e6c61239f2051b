"""The entries of the portfolio: replaced only by newer versions, together with their rows and counters."""

from typing import TYPE_CHECKING, Any

from domain.portfolio.entries import CounterKey, Entry, Row, counter_changes, rows_of
from infra.conditional_writes import Writer
from infra.portfolio.portfolio_items import (
    CHANGES,
    counter_key,
    entry_item,
    entry_key,
    read_entry,
    row_item,
    row_key,
)
from infra.write_outcomes import Applied, BusyError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below: the entry is still the one that the rows and counts were derived from.
ENTRY_IS_NEW = "attribute_not_exists(#pk)"
ENTRY_IS_UNCHANGED = "#version = :version AND #spans = :spans"

_ATTEMPTS = 8


class PortfolioStore:
    """The portfolio of one table.

    Every write raises BusyError or ImpossibleWriteError if certainly nothing was stored, and
    OutcomeUnknownError if its response was lost; sending it again is always safe.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)

    def ping(self) -> None:
        """Read from the table, to check that it answers."""
        self.client.get_item(TableName=self.table, Key=entry_key(""))

    def get(self, number: str) -> Entry | None:
        """Read a contract's entry, consistently."""
        answer = self.client.get_item(TableName=self.table, Key=entry_key(number), ConsistentRead=True)
        return read_entry(answer["Item"]) if "Item" in answer else None

    def apply(self, entry: Entry) -> bool:
        """Store an entry if it is newer than the stored one, with its rows and counters; return whether it was."""
        for _ in range(_ATTEMPTS):
            stored = self.get(entry.number)
            if stored is not None and stored.version >= entry.version:
                return False
            if self.replace(stored, entry):
                return True
        raise BusyError

    def remove(self, number: str, version: int) -> bool:
        """Delete the entry of a contract up to a `version`, without a trace; return whether there was one."""
        for _ in range(_ATTEMPTS):
            stored = self.get(number)
            if stored is None or stored.version > version:
                return False
            if self.replace(stored, None):
                return True
        raise BusyError

    def replace(self, before: Entry | None, after: Entry | None) -> bool:
        """Store `after` with its rows and counters if `before` is stored; return whether it was.

        One write if no date changes, otherwise one transaction.
        """
        if before is not None and after is not None and before.spans == after.spans:
            write = self._entry_write(before, after)["Put"]
            return isinstance(self.writer.put(**write), Applied)
        return isinstance(self.writer.transact(self._writes(before, after)), Applied)

    def repair_row(self, entry: Entry | None, row: Row, wanted: Row | None) -> bool:
        """Replace `row` by `wanted`, or delete it, if `entry` is stored; return whether it was."""
        check: dict[str, Any] = {"TableName": self.table, "Key": entry_key(row.number)} | _condition_on(entry)
        there: dict[str, Any] = {"TableName": self.table}
        write = (
            {"Delete": there | {"Key": row_key(row)}}
            if wanted is None
            else {"Put": there | {"Item": row_item(wanted)}}
        )
        return isinstance(self.writer.transact([{"ConditionCheck": check}, write]), Applied)

    def _writes(self, before: Entry | None, after: Entry | None) -> list[dict[str, Any]]:
        old, new = rows_of(before), rows_of(after)
        # A row with the same key is overwritten: a transaction may contain each item only once.
        kept = {str(row_key(row)) for row in new}
        return [
            self._entry_write(before, after),
            *(
                {"Delete": {"TableName": self.table, "Key": row_key(row)}}
                for row in old - new
                if str(row_key(row)) not in kept
            ),
            *({"Put": {"TableName": self.table, "Item": row_item(row)}} for row in new - old),
            *(
                {"Update": self.counter_update(key, counts)}
                for key, counts in counter_changes(before, after).items()
            ),
        ]

    def _entry_write(self, before: Entry | None, after: Entry | None) -> dict[str, Any]:
        write: dict[str, Any] = {"TableName": self.table} | _condition_on(before)
        if after is None:
            assert before is not None  # noqa: S101 - there is something to replace
            return {"Delete": write | {"Key": entry_key(before.number)}}
        return {"Put": write | {"Item": entry_item(after)}}

    def counter_update(self, key: CounterKey, counts: dict[str, int]) -> dict[str, Any]:
        """Return the write that adds to the counters of a month, and to the count of writes."""
        names = {f"#{name}": name for name in (*counts, CHANGES)}
        values = {f":{name}": {"N": str(count)} for name, count in (*counts.items(), (CHANGES, 1))}
        return {
            "TableName": self.table,
            "Key": counter_key(key),
            "UpdateExpression": "ADD " + ", ".join(f"#{name} :{name}" for name in (*counts, CHANGES)),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }


def _condition_on(entry: Entry | None) -> dict[str, Any]:
    """Return the condition that an entry is what is stored."""
    if entry is None:
        return {"ConditionExpression": ENTRY_IS_NEW, "ExpressionAttributeNames": {"#pk": "pk"}}
    item = entry_item(entry)
    return {
        "ConditionExpression": ENTRY_IS_UNCHANGED,
        "ExpressionAttributeNames": {"#version": "version", "#spans": "spans"},
        "ExpressionAttributeValues": {":version": item["version"], ":spans": item["spans"]},
    }
