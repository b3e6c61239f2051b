"""Random histories of contracts on a table, and the records that its stream has of them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from domain.contracts.contract import Contract, ContractExistsError, ContractNotFoundError
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.timelines import advance
from domain.contracts.trails import Entry, Reception, Source
from domain.contracts.verdicts import decide, explain
from domain.portfolio import entries
from infra.contracts.contract_items import key_of, to_item
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.replay import replay
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_rows import put_of
from infra.contracts.trail_store import TrailStore
from infra.portfolio.follow_stream import entry_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2024, 3, 1, tzinfo=UTC)
BY = Correcting(Reception(NOW, Source.API, "request"), utc_now, lambda: uuid4().hex)


def items_of(contract: Contract, events: Iterable[ComponentEvent], reception: Reception) -> list[Any]:
    """Return the items that a new contract and then its events leave, as they arrive."""
    rows = []
    for event in events:
        verdict = decide(contract, event)
        entry = Entry(event, verdict, explain(verdict, event), reception, written_at=utc_now())
        rows.append(put_of(entry, contract.generation, uuid4().hex)["Item"])
        if verdict.accepted:
            component = event.type.component
            state = advance(contract.components[component], event)
            contract = replace(
                contract.with_states({**contract.components, component: state}), version=contract.version + 1
            )
    return [to_item(contract), *rows]


def put_all(client: "DynamoDBClient", table: str, items: Iterable[Any]) -> None:
    """Store items, many with each call."""
    requests: list[Any] = [{"PutRequest": {"Item": item}} for item in items]
    for first in range(0, len(requests), 25):
        wanted: Any = {table: requests[first : first + 25]}
        while wanted:
            wanted = client.batch_write_item(RequestItems=wanted).get("UnprocessedItems")


@dataclass
class History:
    """Contracts that are created, changed, deleted and created again; each write leaves its records."""

    client: "DynamoDBClient"
    table: str
    random: Random
    numbers: tuple[str, ...] = ("1", "2", "3")
    records: list[dict[str, Any]] = field(default_factory=list)
    sequence: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]

    def __post_init__(self) -> None:
        self.contracts = ContractStore(self.client, self.table)
        self.timelines = TimelineStore(self.client, self.table, audited=True)
        self.trails = TrailStore(self.client, self.table)

    def image(self, number: str) -> dict[str, Any] | None:
        """Read a contract's item."""
        answer = self.client.get_item(TableName=self.table, Key=key_of(number), ConsistentRead=True)
        return answer.get("Item")

    def step(self) -> None:
        """Do one random thing."""
        number = self.random.choice(self.numbers)
        before = self.image(number)
        self._act(number)
        after = self.image(number)
        if after != before:
            images = {"OldImage": before, "NewImage": after}
            self._record(key_of(number), {name: image for name, image in images.items() if image})

    def _act(self, number: str) -> None:
        what = self.random.random()
        try:
            if what < 0.2:
                components = self.random.sample(list(Component), self.random.randrange(1, 4))
                self.contracts.create(Contract.new(number, uuid4().hex, NOW, tuple(components)))
            elif what < 0.3:
                self.contracts.delete(number, uuid4().hex)
            elif what < 0.4:
                replay(self.contracts, self.trails, number, BY, dry_run=False)
            else:
                self._send(number)
        except (ContractExistsError, ContractNotFoundError):
            pass

    def _send(self, number: str) -> None:
        made_at = NOW + timedelta(minutes=self.random.randrange(60))
        day = date(2024, 1, 1) + timedelta(days=self.random.randrange(90))
        kind = self.random.choice(list(EventType))
        event = ComponentEvent(kind, number, day, made_at, uuid4().hex)
        self.timelines.apply(event, Reception(NOW, Source.API, "request"))

    def _record(self, key: dict[str, Any], images: dict[str, Any]) -> None:
        change = {"Keys": key, "SequenceNumber": str(next(self.sequence)), **images}
        self.records.append({"eventID": uuid4().hex, "dynamodb": change})

    def truth(self) -> dict[str, entries.Entry]:
        """Return the entries that the portfolio has to hold."""
        images = {number: self.image(number) for number in self.numbers}
        return {number: entry_of(number, image) for number, image in images.items() if image}
