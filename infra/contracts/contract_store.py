"""Contracts in DynamoDB: one item each, every write with a condition."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from domain.contracts.contract import Contract, ContractExistsError, ContractNotFoundError
from domain.contracts.trails import Correction
from domain.instants import to_micros
from infra.conditional_writes import Writer
from infra.contracts.contract_items import (
    KIND,
    Item,
    generation_of,
    is_tombstone,
    key_of,
    listing_key_of,
    read_contract,
    states_item,
    to_contract,
    to_item,
    version_of,
)
from infra.contracts.trail_rows import put_of_correction
from infra.paging import list_items
from infra.write_outcomes import Applied, Refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below. Deleting leaves a tombstone: the number, its generation and version.
IS_NEW = "attribute_not_exists(#pk)"
EXISTS = "attribute_exists(#components)"
IS_TOMBSTONE = "attribute_not_exists(#components) AND #generation = :generation"
IS_AS_READ = "#id = :id AND #version = :version"
IS_AS_READ_BEFORE_VERSIONS = "#id = :id AND attribute_not_exists(#version)"


class Page(NamedTuple):
    """Some contracts in the order of their numbers, and the number after which the next page starts, if any."""

    contracts: tuple[Contract, ...]
    next_after: str | None


class ContractStore:
    """The contracts of one table.

    Every write raises BusyError or ImpossibleWriteError if certainly nothing was stored, and
    OutcomeUnknownError if its response was lost.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)

    def create(self, contract: Contract) -> Contract:
        """Store a new contract, and return it as it is stored.

        One call, and a second one if a contract of this number was deleted before.

        Raises:
            ContractExistsError: the number is taken.
        """
        outcome = self._put(contract, IS_NEW)
        if isinstance(outcome, Refused) and is_tombstone(outcome.item):
            contract = replace(
                contract,
                generation=generation_of(outcome.item) + 1,
                version=version_of(outcome.item) + 1,
            )
            former = {":generation": {"N": str(contract.generation - 1)}}
            outcome = self._put(contract, IS_TOMBSTONE, former)
        return contract if isinstance(outcome, Applied) else _own_or_raise(outcome.item, contract)

    def _put(
        self, contract: Contract, condition: str, values: dict[str, Any] | None = None
    ) -> Applied | Refused:
        aliases = {"#pk": "pk", "#components": "components", "#generation": "generation"}
        request: dict[str, Any] = {
            "Item": to_item(contract),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {
                alias: name for alias, name in aliases.items() if alias in condition
            },
        }
        if values:
            request["ExpressionAttributeValues"] = values
        return self.writer.put(TableName=self.table, **request)

    def get(self, number: str) -> Contract | None:
        """Read a contract, consistently."""
        answer = self.client.get_item(TableName=self.table, Key=key_of(number), ConsistentRead=True)
        return read_contract(answer.get("Item"))

    def ping(self) -> None:
        """Read from the table, to check that it answers."""
        self.client.get_item(TableName=self.table, Key=key_of(""))

    def delete(self, number: str, token: str) -> None:
        """Delete a contract and the states of its components; `token` identifies the call.

        A tombstone with its generation and version remains, and so do its trails.

        Raises:
            ContractNotFoundError: the contract does not exist.
        """
        gone = ("kind", "id", "created_at", "stored_at", "corrected_at", "component_names", "components")
        outcome = self.writer.update(
            TableName=self.table,
            Key=key_of(number),
            UpdateExpression=(
                "SET #deleted_by = :token ADD #version :one REMOVE " + ", ".join(f"#{name}" for name in gone)
            ),
            ConditionExpression=EXISTS,
            ExpressionAttributeNames={f"#{name}": name for name in (*gone, "deleted_by", "version")},
            ExpressionAttributeValues={":token": {"S": token}, ":one": {"N": "1"}},
        )
        # Our own tombstone: the request was resent after its response was lost.
        if isinstance(outcome, Refused) and (outcome.item or {}).get("deleted_by") != {"S": token}:
            raise ContractNotFoundError(number)

    def correct(self, before: Contract, after: Contract, row: Correction | None = None) -> bool:
        """Store the components and states of `after`, together with `row`; return whether they were stored.

        They are not if the contract has changed since `before` was read, or if the row of a void exists
        already. One transaction; without a row, one write.
        """
        update = _correction_of(before, after, row)
        if row is None:
            outcome = self.writer.update(TableName=self.table, **update)
            if isinstance(outcome, Applied):
                return True
            # Our own write, resent after its response was lost, or another one that has stored the same.
            stored = read_contract(outcome.item)
            return (
                stored is not None
                and stored.id == after.id
                and list(stored.components.items()) == list(after.components.items())
            )
        token = uuid4().hex
        put = put_of_correction(before.number, before.generation, row, token)
        returned = {"TableName": self.table, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        outcome = self.writer.transact([{"Update": returned | update}, {"Put": returned | put}])
        if isinstance(outcome, Applied):
            return True
        # Our own row: the transaction was resent after its response was lost.
        return (outcome.reasons[1].item or {}).get("token") == {"S": token}

    def page(self, limit: int, after: str | None) -> Page:
        """List contracts in the order of their numbers, without the states of their components.

        Eventually consistent: a new contract appears within about a second.
        """
        start = key_of(after) | listing_key_of(after) if after is not None else None
        items, last = list_items(self.client, self.table, ("kind", KIND), limit, start)
        return Page(tuple(map(to_contract, items)), last["number"]["S"] if last else None)


def _own_or_raise(stored: Item | None, contract: Contract) -> Contract:
    """Return the stored contract if this very write has stored it: it was resent after its response was lost."""
    found = read_contract(stored)
    if found is None or found.id != contract.id:
        raise ContractExistsError(contract.number)
    return found


def _correction_of(before: Contract, after: Contract, row: Correction | None) -> dict[str, Any]:
    """Return the write that stores `after` if the contract is still `before`; with a row, also its instant."""
    states = states_item(after.components)
    sets = {"#component_names": "component_names", "#components": "components"}
    values = {":component_names": states["component_names"], ":components": states["components"]}
    if row is not None:
        sets["#corrected_at"] = "corrected_at"
        values[":corrected_at"] = {"N": str(to_micros(row.recorded_at))}
    values |= {":id": {"S": before.id}, ":one": {"N": "1"}}
    if before.version:
        values[":version"] = {"N": str(before.version)}
    assignments = ", ".join(f"{alias} = :{name}" for alias, name in sets.items())
    return {
        "Key": key_of(after.number),
        "UpdateExpression": f"SET {assignments} ADD #version :one",
        "ConditionExpression": IS_AS_READ if before.version else IS_AS_READ_BEFORE_VERSIONS,
        "ExpressionAttributeNames": sets | {"#id": "id", "#version": "version"},
        "ExpressionAttributeValues": values,
    }
