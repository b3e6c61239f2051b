"""The stack of the run that is up, as the commands beside it reach it."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import Entry
from domain.meters.readings import MeterKind
from infra.commands.command_error import CommandError
from infra.contracts.contract_items import generation_of, is_tombstone, key_of
from infra.contracts.trail_rows import NO_CONTRACT, row_key, to_entry
from infra.local.cloud import client_at
from infra.local.rundir import RunDirectory
from infra.meters.meter_store import MeterStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MAX_KEYS = 100  # of one BatchGetItem
_INTERRUPTED = 130


@dataclass(frozen=True)
class Stack:
    """What a run has announced of itself, and clients of it."""

    outputs: Mapping[str, str]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Stack":
        """Find the run of RUN_DIR; CommandError when none is up."""
        return cls(RunDirectory(Path(environment.get("RUN_DIR") or ".run")).outputs())

    def client(self, service: str) -> Any:  # noqa: ANN401 - callers name the client they asked for
        """Return a client of the run's emulated AWS."""
        secret = self.outputs.get("aws_session_token", "")
        return client_at(self.outputs["aws_endpoint_url"], service, secret=secret)

    def is_simulated(self, meter_id: str) -> bool:
        """Tell whether a meter stores no readings."""
        meter = MeterStore(self.client("dynamodb"), self.outputs["readings_table_name"]).get(meter_id)
        return meter is not None and meter.kind is MeterKind.SIMULATED

    def decided(self, events: Sequence[ComponentEvent], since: datetime) -> dict[ComponentEvent, Entry]:
        """Read what the trail says of `events`: under the contract of their number as it is now.

        Where there is a contract, a row of the time before it counts only if it was written `since`: an
        event that was refused then is decided anew when it is sent again.
        """
        client, table = self.client("dynamodb"), self.outputs["contracts_table_name"]
        contracts = _items(client, table, [key_of(event.contract_number) for event in events])
        rows = _items(
            client,
            table,
            [
                row_key(event, generation)
                for event in events
                for generation in {_generation(contracts, event), NO_CONTRACT}
            ],
        )
        found = {}
        for event in events:
            generation = _generation(contracts, event)
            row, earlier = (rows.get(_flat(row_key(event, number))) for number in (generation, NO_CONTRACT))
            if row is None and earlier and to_entry(earlier).reception.received_at >= since:
                row = earlier
            if row is not None:
                found[event] = to_entry(row)
        return found


_Items = Mapping[tuple[str, str], Mapping[str, Any]]


def _generation(contracts: _Items, event: ComponentEvent) -> int:
    item = contracts.get(_flat(key_of(event.contract_number)))
    return NO_CONTRACT if item is None or is_tombstone(item) else generation_of(item)


def _flat(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _items(client: "DynamoDBClient", table: str, keys: Iterable[Mapping[str, Any]]) -> _Items:
    """Read the items that are there of `keys`, in which the same one may stand twice."""
    wanted = list({_flat(key): {"pk": key["pk"], "sk": key["sk"]} for key in keys}.values())
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    while wanted:
        asked, wanted = wanted[:_MAX_KEYS], wanted[_MAX_KEYS:]
        answer = client.batch_get_item(RequestItems={table: {"Keys": asked, "ConsistentRead": True}})
        found |= {_flat(item): item for item in answer["Responses"].get(table, [])}
        wanted += answer.get("UnprocessedKeys", {}).get(table, {"Keys": []})["Keys"]
    return found


def printable(text: str) -> str:
    """Return `text` with nothing in it that a terminal obeys."""
    return "".join(character if character.isprintable() else "?" for character in text)


def run(command: Callable[[], int]) -> int:
    """Run a command; a mistake of a person, or of the run that is up, is one line for them."""
    try:
        return command()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except (CommandError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
