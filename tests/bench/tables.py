"""Tables of template.yaml on DynamoDB Local: created, filled quickly, and their calls counted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from infra.build.packaging import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_AT_ONCE = 25
_THREADS = 4
_READS = {"GetItem", "BatchGetItem", "Query", "Scan"}
_DEFINED = (
    "BillingMode",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short tags as plain text: in definitions of tables they do not matter."""


_Loader.add_multi_constructor("!", lambda _, suffix, node: f"{suffix} {node.value}")


@cache
def _resources() -> dict[str, Any]:
    text = (ROOT / "template.yaml").read_text()
    return dict(yaml.load(text, _Loader)["Resources"])  # noqa: S506 - a SafeLoader


def create_table(client: "DynamoDBClient", logical_id: str, name: str) -> None:
    """Create the table that template.yaml calls `logical_id`."""
    definition = _resources()[logical_id]["Properties"]
    client.create_table(TableName=name, **{key: definition[key] for key in _DEFINED if key in definition})


def store_all(client: "DynamoDBClient", table: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Store items without conditions, many at a time."""

    def put(first: int) -> None:
        wanted: Any = {table: [{"PutRequest": {"Item": item}} for item in items[first : first + _AT_ONCE]]}
        while wanted:
            wanted = client.batch_write_item(RequestItems=wanted).get("UnprocessedItems")

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(put, range(0, len(items), _AT_ONCE)))


@dataclass
class Consumed:
    """What calls to DynamoDB have consumed."""

    calls: Counter[str] = field(default_factory=Counter)
    read_units: float = 0.0
    write_units: float = 0.0
    sent_bytes: int = 0

    @property
    def units(self) -> float:
        """Read and write units together."""
        return self.read_units + self.write_units


@contextmanager
def counted(client: "DynamoDBClient") -> Iterator[Consumed]:
    """Count what the calls of `client` consume in the context."""
    found = Consumed()

    def ask(params: dict[str, Any], model: Any, **_: Any) -> None:
        if "ReturnConsumedCapacity" in model.input_shape.members:
            params["ReturnConsumedCapacity"] = "TOTAL"

    def send(request: Any, **_: Any) -> None:
        found.sent_bytes += len(request.body or b"")

    def note(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        found.calls[model.name] += 1
        consumed = parsed.get("ConsumedCapacity", [])
        units = sum(one["CapacityUnits"] for one in (consumed if isinstance(consumed, list) else [consumed]))
        if model.name in _READS:
            found.read_units += units
        else:
            found.write_units += units

    hooks: dict[str, Any] = {
        "before-parameter-build.dynamodb": ask,
        "before-send.dynamodb": send,
        "after-call.dynamodb": note,
    }
    events = client.meta.events
    for name, hook in hooks.items():
        events.register(name, hook)
    yield found
    for name, hook in hooks.items():
        events.unregister(name, hook)
