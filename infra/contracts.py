"""Contracts in DynamoDB: one item each, every write with a condition."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from domain.contracts import (
    Action,
    Component,
    ComponentState,
    Contract,
    ContractExistsError,
    ContractNotFoundError,
    EventType,
    Occurrence,
)
from domain.instants import from_micros, to_micros
from infra.aws import OutcomeUnknownError, condition_failed, refused_item, was_resent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SORT_KEY = "CONTRACT"
_KIND = "contract"

# Conditions of the writes below.
IS_NEW = "attribute_not_exists(#pk)"
EXISTS = "attribute_exists(#pk)"

Item = Mapping[str, Any]


class Page(NamedTuple):
    """Some contracts in the order of their numbers, and the number to go on after, if any."""

    contracts: tuple[Contract, ...]
    next_after: str | None


def key_of(number: str) -> dict[str, Any]:
    """Return the primary key of a contract's item."""
    return {"pk": {"S": f"CONTRACT#{number}"}, "sk": {"S": _SORT_KEY}}


class ContractStore:
    """The contracts of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def create(self, contract: Contract) -> None:
        """Store a contract of which nothing has happened yet.

        Raises:
            ContractExistsError: the number is taken.
        """
        try:
            self.client.put_item(
                TableName=self.table,
                Item=to_item(contract),
                ConditionExpression=IS_NEW,
                ExpressionAttributeNames={"#pk": "pk"},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            stored = refused_item(error)
            # Our own contract stands in the way: the SDK resent a request whose answer was lost.
            if stored is None or stored["id"]["S"] != contract.id:
                raise ContractExistsError(contract.number) from error

    def get(self, number: str) -> Contract | None:
        """Read a contract, consistently."""
        answer = self.client.get_item(TableName=self.table, Key=key_of(number), ConsistentRead=True)
        return to_contract(answer["Item"]) if "Item" in answer else None

    def ping(self) -> None:
        """Ask the table for something, to see whether it answers."""
        self.client.get_item(TableName=self.table, Key=key_of(""))

    def delete(self, number: str) -> None:
        """Delete a contract and all that is known of its components.

        Raises:
            ContractNotFoundError: there is none.
            OutcomeUnknownError: there is none now, but this very call may have deleted it.
        """
        try:
            self.client.delete_item(
                TableName=self.table,
                Key=key_of(number),
                ConditionExpression=EXISTS,
                ExpressionAttributeNames={"#pk": "pk"},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            if was_resent(error):
                raise OutcomeUnknownError from error
            raise ContractNotFoundError(number) from error

    def page(self, limit: int, after: str | None) -> Page:
        """List contracts in the order of their numbers, without the states of their components.

        Eventually consistent: a contract shows up here within about a second of its creation.
        """
        start = {"ExclusiveStartKey": key_of(after) | _listing_key(after)} if after is not None else {}
        answer = self.client.query(
            TableName=self.table,
            IndexName="listing",
            KeyConditionExpression="#kind = :kind",
            ExpressionAttributeNames={"#kind": "kind"},
            ExpressionAttributeValues={":kind": {"S": _KIND}},
            Limit=limit,
            **start,  # type: ignore[arg-type]
        )
        last = answer.get("LastEvaluatedKey")
        return Page(tuple(map(to_contract, answer["Items"])), last["number"]["S"] if last else None)


def _listing_key(number: str) -> dict[str, Any]:
    return {"kind": {"S": _KIND}, "number": {"S": number}}


def to_item(contract: Contract) -> dict[str, Any]:
    """Write a contract; the names stand in a list because a DynamoDB map keeps no order."""
    return (
        key_of(contract.number)
        | _listing_key(contract.number)
        | {
            "id": {"S": contract.id},
            "created_at": {"N": str(to_micros(contract.created_at))},
            "component_names": {"L": [{"S": component} for component in contract.components]},
            "components": {
                "M": {component: {"M": _to_slots(state)} for component, state in contract.components.items()}
            },
        }
    )


def _to_slots(state: ComponentState) -> dict[str, Any]:
    """Write only what is known: an unset start or end is absent, never NULL."""
    slots: dict[str, Any] = {}
    for action, occurrence in ((Action.START, state.start), (Action.END, state.end)):
        if occurrence:
            slots[f"{action}_created_at"] = {"N": str(to_micros(occurrence.created_at))}
            slots[f"{action}_date"] = {"S": occurrence.date.isoformat()}
            slots[f"{action}_key"] = {"S": occurrence.key}
    return slots


def to_contract(item: Item) -> Contract:
    """Read a contract's item; of an item of the listing, which holds no states, all are empty."""
    states = item.get("components", {"M": {}})["M"]
    components = [Component(name["S"]) for name in item["component_names"]["L"]]
    return Contract(
        number=item["number"]["S"],
        # The listing does not carry the id, and nothing that lists needs it.
        id=item.get("id", {"S": ""})["S"],
        created_at=from_micros(int(item["created_at"]["N"])),
        components={
            component: _to_state(component, states.get(component, {"M": {}})["M"]) for component in components
        },
    )


def _to_state(component: Component, slots: Item) -> ComponentState:
    return ComponentState(
        start=_to_occurrence(component, Action.START, slots), end=_to_occurrence(component, Action.END, slots)
    )


def _to_occurrence(component: Component, action: Action, slots: Item) -> Occurrence | None:
    if f"{action}_created_at" not in slots:
        return None
    return Occurrence(
        type=EventType.of(component, action),
        date=date.fromisoformat(slots[f"{action}_date"]["S"]),
        created_at=from_micros(int(slots[f"{action}_created_at"]["N"])),
        key=slots[f"{action}_key"]["S"],
    )
