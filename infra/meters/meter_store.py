"""Smart meters in DynamoDB: one item each, in one partition with the items of its hours."""

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.instants import from_micros, to_micros
from domain.meters.readings import Meter, MeterKind
from domain.meters.simulation import INTERVAL_SECONDS
from infra.batch_reads import read_items
from infra.conditional_writes import Writer
from infra.paging import list_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of registering a meter.
IS_NEW = "attribute_not_exists(#pk)"

_SORT_KEY = "METER"
_LISTED_AS = "meter"

Item = Mapping[str, Any]


class Page(NamedTuple):
    """Some meters in the order of their ids, and the id after which the next page starts, if any."""

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
        self.writer = Writer(client)

    def register(self, meter: Meter) -> None:
        """Store `meter`, unless there is one with its id: then nothing changes.

        Raises:
            OutcomeUnknownError: the response to the write was lost.
        """
        self.writer.put(
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

    def change(self, meter_id: str, settings: Mapping[str, int | str | None], now: datetime) -> Meter:
        """Set `interval_seconds` and `timezone` as `settings` says, or remove what is None there.

        An unknown meter is registered. Nothing else of a known one changes, so the write needs no condition:
        its resend stores the same again.

        Raises:
            OutcomeUnknownError: the response to the write was lost.
            BusyError: nothing is stored, since the table was busy.
        """
        return self._update(meter_id, settings, now, "#{0} = :{0}")

    def supplement(self, meter_id: str, settings: Mapping[str, int | str | None], now: datetime) -> None:
        """Set those of `settings` that the meter does not have yet; an unknown meter is registered.

        Raises:
            OutcomeUnknownError: the response to the write was lost.
            BusyError: nothing is stored, since the table was busy.
        """
        self._update(meter_id, settings, now, "#{0} = if_not_exists(#{0}, :{0})")

    def _update(
        self, meter_id: str, settings: Mapping[str, int | str | None], now: datetime, clause: str
    ) -> Meter:
        registered: dict[str, Any] = {
            "listed_as": {"S": _LISTED_AS},
            "meter_id": {"S": meter_id},
            "meter_kind": {"S": MeterKind.METERED},
            "created_at": {"N": str(to_micros(now))},
        }
        stated = {name: _value_of(value) for name, value in settings.items() if value is not None}
        removed = [f"#{name}" for name in settings if name not in stated]
        sets = [
            *(f"#{name} = if_not_exists(#{name}, :{name})" for name in registered),
            *(clause.format(name) for name in stated),
        ]
        outcome = self.writer.update(
            TableName=self.table,
            Key=_key_of(meter_id),
            UpdateExpression=f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(removed)}" if removed else ""),
            ExpressionAttributeNames={f"#{name}": name for name in (*registered, *settings)},
            ExpressionAttributeValues={f":{name}": value for name, value in (registered | stated).items()},
            ReturnValues="ALL_NEW",
        )
        assert outcome.item is not None  # noqa: S101 - what ALL_NEW asks for
        return _to_meter(outcome.item)

    def get(self, meter_id: str) -> Meter | None:
        """Read a meter, consistently."""
        answer = self.client.get_item(TableName=self.table, Key=_key_of(meter_id), ConsistentRead=True)
        return _to_meter(answer["Item"]) if "Item" in answer else None

    def ping(self) -> None:
        """Read from the table, to check that it answers."""
        self.client.get_item(TableName=self.table, Key=_key_of(""))

    def page(self, limit: int, after: str | None) -> Page:
        """List meters in the order of their ids; a new one appears within about a second."""
        start = _key_of(after) | _listing_key(after) if after is not None else None
        listed, last = list_items(self.client, self.table, ("listed_as", _LISTED_AS), limit, start)
        # The index lacks some attributes, and a new projection would mean a new index.
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in listed]
        items = read_items(self.client, self.table, keys)
        meters = sorted(map(_to_meter, items), key=attrgetter("id"))
        return Page(tuple(meters), last["meter_id"]["S"] if last else None)


def _key_of(meter_id: str) -> dict[str, Any]:
    return {"pk": partition_of(meter_id), "sk": {"S": _SORT_KEY}}


def _listing_key(meter_id: str) -> dict[str, Any]:
    return {"listed_as": {"S": _LISTED_AS}, "meter_id": {"S": meter_id}}


def _value_of(value: int | str) -> Any:  # noqa: ANN401 - DynamoDB's JSON
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def _to_meter(item: Item) -> Meter:
    kind = MeterKind(item["meter_kind"]["S"])
    usual = INTERVAL_SECONDS if kind is MeterKind.SIMULATED else None
    return Meter(
        id=item["meter_id"]["S"],
        kind=kind,
        created_at=from_micros(int(item["created_at"]["N"])),
        interval_seconds=int(item["interval_seconds"]["N"]) if "interval_seconds" in item else usual,
        timezone=item["timezone"]["S"] if "timezone" in item else None,
    )
