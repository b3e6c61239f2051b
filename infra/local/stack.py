"""The deployed stack of the running local run, for commands that use it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import Entry
from domain.contracts.verdicts import RETRYABLE, decide, explain
from infra.contracts.contract_items import generation_of, is_tombstone, key_of, read_contract
from infra.contracts.trail_rows import NO_CONTRACT, row_key, to_entry
from infra.local.emulator import client_at
from infra.local.run_directory import RunDirectory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MAX_KEYS = 100  # of one BatchGetItem


def outputs_of_run(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the outputs of the run in RUN_DIR; CommandError if none is running."""
    return RunDirectory(Path(environment.get("RUN_DIR") or ".run")).outputs()


def api_url(environment: Mapping[str, str]) -> str:
    """Return where the API of the run in RUN_DIR listens; CommandError if none is running."""
    return outputs_of_run(environment)["api_url"]


@dataclass(frozen=True)
class Stack:
    """The outputs of a run, and clients of its emulated AWS."""

    outputs: Mapping[str, str]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Stack":
        """Return the stack of the run in RUN_DIR; CommandError if none is running."""
        return cls(outputs_of_run(environment))

    def client(self, service: str) -> Any:  # noqa: ANN401 - callers name the client they asked for
        """Return a client of the run's emulated AWS."""
        secret = self.outputs.get("aws_session_token", "")
        return client_at(self.outputs["aws_endpoint_url"], service, secret=secret)

    def decided(self, events: Sequence[ComponentEvent], since: datetime) -> dict[ComponentEvent, Entry]:
        """Read the rows of `events` in the trails of the present contracts of their numbers.

        If a contract exists, a row from before it existed is used only if it was written after `since`: an event that
        was refused then is decided again when it is sent again.
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

    def waiting(self, events: Sequence[ComponentEvent]) -> dict[ComponentEvent, str]:
        """Return why some of `events` wait for another event, or for their contract to be created."""
        client, table = self.client("dynamodb"), self.outputs["contracts_table_name"]
        contracts = _items(client, table, [key_of(event.contract_number) for event in events])
        verdicts = {
            event: decide(read_contract(contracts.get(_flat(key_of(event.contract_number)))), event)
            for event in events
        }
        return {
            event: explain(verdict, event) for event, verdict in verdicts.items() if verdict.code in RETRYABLE
        }


_Items = Mapping[tuple[str, str], Mapping[str, Any]]


def _generation(contracts: _Items, event: ComponentEvent) -> int:
    item = contracts.get(_flat(key_of(event.contract_number)))
    return NO_CONTRACT if item is None or is_tombstone(item) else generation_of(item)


def _flat(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _items(client: "DynamoDBClient", table: str, keys: Iterable[Mapping[str, Any]]) -> _Items:
    """Read the existing items of `keys`, which may contain duplicates."""
    pending = list({_flat(key): {"pk": key["pk"], "sk": key["sk"]} for key in keys}.values())
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    while pending:
        batch, pending = pending[:_MAX_KEYS], pending[_MAX_KEYS:]
        answer = client.batch_get_item(RequestItems={table: {"Keys": batch, "ConsistentRead": True}})
        found |= {_flat(item): item for item in answer["Responses"].get(table, [])}
        pending += answer.get("UnprocessedKeys", {}).get(table, {"Keys": []})["Keys"]
    return found
