"""Contracts in DynamoDB: one item each, every write with a condition."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.contracts.contract import Contract, ContractExistsError, ContractNotFoundError
from infra.contracts.contract_items import (
    KIND,
    Item,
    generation_of,
    is_tombstone,
    key_of,
    listing_key_of,
    read_contract,
    to_contract,
    to_item,
    version_of,
)
from infra.listings import list_items
from infra.outcomes import Applied, Refused
from infra.writes import Writer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below. Deleting leaves a tombstone: the number, its generation and version.
IS_NEW = "attribute_not_exists(#pk)"
EXISTS = "attribute_exists(#components)"
IS_TOMBSTONE = "attribute_not_exists(#components) AND #generation = :generation"
STATES_ARE_UNCHANGED = "#components = :components AND #id = :id"


class Page(NamedTuple):
    """Some contracts in the order of their numbers, and the number to go on after, if any."""

    contracts: tuple[Contract, ...]
    next_after: str | None


class ContractStore:
    """The contracts of one table.

    Every write raises BusyError or ImpossibleWriteError where surely nothing was stored, and
    OutcomeUnknownError where its answer was lost.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)

    def create(self, contract: Contract) -> Contract:
        """Store a contract of which nothing has happened yet, and return it as it is stored.

        One call, and a second where a contract of this number was deleted.

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
        """Ask the table for something, to see whether it answers."""
        self.client.get_item(TableName=self.table, Key=key_of(""))

    def delete(self, number: str, token: str) -> None:
        """Delete a contract and all that is known of its components; `token` identifies the call.

        What remains is a tombstone that remembers the generation and the version; no trail is touched.

        Raises:
            ContractNotFoundError: there is none.
        """
        names = ("deleted_by", "version", "kind", "id", "created_at", "component_names", "components")
        outcome = self.writer.update(
            TableName=self.table,
            Key=key_of(number),
            UpdateExpression=(
                "SET #deleted_by = :token ADD #version :one"
                " REMOVE #kind, #id, #created_at, #component_names, #components"
            ),
            ConditionExpression=EXISTS,
            ExpressionAttributeNames={f"#{name}": name for name in names},
            ExpressionAttributeValues={":token": {"S": token}, ":one": {"N": "1"}},
        )
        # Our own tombstone: the request was resent after a lost answer.
        if isinstance(outcome, Refused) and (outcome.item or {}).get("deleted_by") != {"S": token}:
            raise ContractNotFoundError(number)

    def replace_states(self, before: Contract, after: Contract) -> bool:
        """Store the states of `after` if those of `before` are still the ones stored; say whether."""
        outcome = self.writer.update(
            TableName=self.table,
            Key=key_of(after.number),
            UpdateExpression="SET #components = :after ADD #version :one",
            ConditionExpression=STATES_ARE_UNCHANGED,
            ExpressionAttributeNames={"#components": "components", "#id": "id", "#version": "version"},
            ExpressionAttributeValues={
                ":components": to_item(before)["components"],
                ":after": to_item(after)["components"],
                ":id": {"S": before.id},
                ":one": {"N": "1"},
            },
        )
        if isinstance(outcome, Applied):
            return True
        stored = read_contract(outcome.item)
        return stored is not None and stored.id == after.id and stored.components == after.components

    def page(self, limit: int, after: str | None) -> Page:
        """List contracts in the order of their numbers, without the states of their components.

        Eventually consistent: a contract shows up here within about a second of its creation.
        """
        start = key_of(after) | listing_key_of(after) if after is not None else None
        items, last = list_items(self.client, self.table, ("kind", KIND), limit, start)
        return Page(tuple(map(to_contract, items)), last["number"]["S"] if last else None)


def _own_or_raise(stored: Item | None, contract: Contract) -> Contract:
    """Return the stored contract if it is this very creation, sent again after a lost answer."""
    found = read_contract(stored)
    if found is None or found.id != contract.id:
        raise ContractExistsError(contract.number)
    return found
