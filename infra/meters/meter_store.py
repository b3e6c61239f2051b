"""The register of smart meters in DynamoDB; a meter's item stands before those of its hours."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from domain.instants import from_micros, to_micros
from domain.meters.readings import Meter, MeterKind
from infra.aws import write_errors_classified
from infra.paging import list_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of the write below.
IS_NEW = "attribute_not_exists(#pk)"

_SORT_KEY = "METER"
_LISTED_AS = "meter"

Item = Mapping[str, Any]


class Page(NamedTuple):
    """Some meters in the order of their ids, and the id to go on after, if any."""

    meters: tuple[Meter, ...]
    next_after: str | None


def partition_of(meter_id: str) -> dict[str, str]:
    """Return the partition that holds a meter and its hours."""
    return {"S": f"METER#{meter_id}"}


class MeterStore:
    """The meters of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def register(self, meter: Meter) -> None:
        """Store `meter`, unless its id is known already: then nothing changes.

        Raises:
            OutcomeUnknownError: the answer to the write was lost.
        """
        with suppress(ClientError), write_errors_classified():
            self.client.put_item(
                TableName=self.table,
                Item=_key_of(meter.id)
                | {
                    "listed_as": {"S": _LISTED_AS},
                    "meter_id": {"S": meter.id},
                    "meter_kind": {"S": meter.kind},
                    "created_at": {"N": str(to_micros(meter.created_at))},
                },
                ConditionExpression=IS_NEW,
                ExpressionAttributeNames={"#pk": "pk"},
            )

    def get(self, meter_id: str) -> Meter | None:
        """Read a meter, consistently."""
        answer = self.client.get_item(TableName=self.table, Key=_key_of(meter_id), ConsistentRead=True)
        return _to_meter(answer["Item"]) if "Item" in answer else None

    def ping(self) -> None:
        """Ask the table for something, to see whether it answers."""
        self.client.get_item(TableName=self.table, Key=_key_of(""))

    def page(self, limit: int, after: str | None) -> Page:
        """List meters in the order of their ids; a new one shows up within about a second."""
        start = _key_of(after) | _listing_key(after) if after is not None else None
        items, last = list_items(self.client, self.table, ("listed_as", _LISTED_AS), limit, start)
        return Page(tuple(map(_to_meter, items)), last["meter_id"]["S"] if last else None)


def _key_of(meter_id: str) -> dict[str, Any]:
    return {"pk": partition_of(meter_id), "sk": {"S": _SORT_KEY}}


def _listing_key(meter_id: str) -> dict[str, Any]:
    return {"listed_as": {"S": _LISTED_AS}, "meter_id": {"S": meter_id}}


def _to_meter(item: Item) -> Meter:
    return Meter(
        id=item["meter_id"]["S"],
        kind=MeterKind(item["meter_kind"]["S"]),
        created_at=from_micros(int(item["created_at"]["N"])),
    )
