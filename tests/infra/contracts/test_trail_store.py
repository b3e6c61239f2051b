"""Trails on DynamoDB Local: pages in the order of arrival, and writes of a busy contract."""

import time
from datetime import date
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.replay import replay
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.write_outcomes import BusyError
from tests import small_cases
from tests.engines import client_of
from tests.faults import Fault, FaultyNetwork

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def created(client: "DynamoDBClient", table: str) -> Contract:
    contract = Contract.new("1001", uuid4().hex, small_cases.instant(0), tuple(Component))
    return ContractStore(client, table).create(contract)


def send(
    client: "DynamoDBClient", table: str, kind: EventType, key: str, at: int = 1, received: int = 9
) -> None:
    event = ComponentEvent(kind, "1001", date(2024, 1, 1), small_cases.instant(at), key)
    reception = Reception(small_cases.instant(received), Source.BUS, "request")
    TimelineStore(client, table, audited=True).apply(event, reception)


@pytest.mark.parametrize("wanted", [{}, {"status": "rejected"}], ids=["all", "filtered"])
def test_pages_lose_no_row_of_those_received_at_one_instant(
    engine_client: "DynamoDBClient", engine_table: str, wanted: dict[str, str]
) -> None:
    contract = created(engine_client, engine_table)
    for index in range(7):
        send(engine_client, engine_table, EventType.SUPPLY_ENERGY_END, f"key-{index}")
    send(engine_client, engine_table, EventType.SUPPLY_ENERGY_END, "key-before", received=8)
    trails = TrailStore(engine_client, engine_table)
    found, after = [], None
    while True:
        page = trails.page(contract.number, contract.generation, 2, after, wanted)
        found += [row.key for row in page.rows]
        after = page.next_after
        if after is None:
            break
    assert found[0] == "key-before"
    assert sorted(found[1:]) == [f"key-{index}" for index in range(7)]


def busy(engine: str, *faults: Fault) -> "DynamoDBClient":
    client = client_of(engine)
    FaultyNetwork(client).faults = iter(faults)
    return client


@pytest.fixture
def out_of_order(engine_client: "DynamoDBClient", engine_table: str) -> Contract:
    contract = created(engine_client, engine_table)
    send(engine_client, engine_table, EventType.SUPPLY_ENERGY_END, "end", at=2)
    send(engine_client, engine_table, EventType.SUPPLY_ENERGY_START, "start", at=1)
    return contract


def test_a_replay_of_a_busy_contract_is_retried(
    engine: str, engine_table: str, out_of_order: Contract
) -> None:
    client = busy(engine, Fault.NONE, Fault.NONE, Fault.CONFLICT, Fault.CONFLICT)
    by = Correcting(Reception(small_cases.instant(9), Source.API, "request"), utc_now, lambda: uuid4().hex)
    replayed = replay(
        ContractStore(client, engine_table), TrailStore(client, engine_table), "1001", by, dry_run=False
    )
    stored = ContractStore(client, engine_table).get("1001")
    assert stored == replayed.after
    assert stored != replayed.before


def test_a_busy_contract_is_still_deleted(engine: str, engine_table: str, out_of_order: Contract) -> None:
    store = ContractStore(busy(engine, Fault.CONFLICT, Fault.CONFLICT), engine_table)
    store.delete("1001", uuid4().hex)
    assert store.get("1001") is None


def test_a_contract_that_stays_busy_is_left_as_it_was_and_says_so(
    engine: str, engine_table: str, out_of_order: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    store = ContractStore(busy(engine, *[Fault.CONFLICT] * 8), engine_table)
    with pytest.raises(BusyError):
        store.delete("1001", uuid4().hex)
    assert store.get("1001") is not None
