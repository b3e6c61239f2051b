"""The version of a contract's item grows with every write, and with nothing else."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.timelines import advance
from domain.contracts.trails import Reception, Source
from infra.contracts.contract_items import key_of, version_of
from infra.contracts.contract_store import ContractStore
from infra.contracts.timeline_store import TimelineStore
from tests import small_cases
from tests.engines import client_of
from tests.faults import Fault, FaultyNetwork

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

RECEPTION = Reception(small_cases.instant(9), Source.API, "request")


class Versioned:
    """The stores of one table, and the version that stands in it."""

    def __init__(self, client: "DynamoDBClient", table: str, *, audited: bool = True) -> None:
        self.client, self.table = client, table
        self.contracts = ContractStore(client, table)
        self.timelines = TimelineStore(client, table, audited=audited)

    def create(self) -> Contract:
        contract = Contract.new("1001", uuid4().hex, small_cases.instant(0), (Component.ENERGY_SUPPLY,))
        return self.contracts.create(contract)

    def send(self, at: int) -> None:
        self.timelines.apply(start(at), RECEPTION)

    def version(self) -> int:
        return version_of(self.client.get_item(TableName=self.table, Key=key_of("1001"))["Item"])


def start(at: int) -> ComponentEvent:
    kind = EventType.SUPPLY_ENERGY_START
    return ComponentEvent(kind, "1001", date(2024, 1, 1), small_cases.instant(at), f"key-{at}")


@pytest.fixture(params=[True, False], ids=["with a trail", "without"])
def versioned(
    engine_client: "DynamoDBClient", engine_table: str, request: pytest.FixtureRequest
) -> Versioned:
    return Versioned(engine_client, engine_table, audited=request.param)


def test_each_write_takes_the_next_version_over_deletion_and_re_creation(versioned: Versioned) -> None:
    def versions() -> Iterator[int]:
        versioned.create()
        yield versioned.version()
        for at in (1, 2):
            versioned.send(at)
            yield versioned.version()
        before = versioned.contracts.get("1001")
        assert before is not None
        state = advance(before.components[Component.ENERGY_SUPPLY], start(3))
        assert versioned.contracts.correct(before, before.with_states({Component.ENERGY_SUPPLY: state}))
        yield versioned.version()
        versioned.contracts.delete("1001", uuid4().hex)
        yield versioned.version()
        assert versioned.create().version == 6
        yield versioned.version()
        versioned.send(1)
        yield versioned.version()

    assert list(versions()) == [1, 2, 3, 4, 5, 6, 7]


def test_a_refused_event_takes_no_version(versioned: Versioned) -> None:
    versioned.create()
    versioned.send(2)
    versioned.send(1)
    assert versioned.version() == 2


def test_a_write_that_is_sent_twice_takes_one_version(engine: str, engine_table: str) -> None:
    client = client_of(engine)
    versioned, network = Versioned(client, engine_table), FaultyNetwork(client)
    network.faults = iter([Fault.DOUBLED])
    versioned.create()
    network.faults = iter([Fault.DOUBLED])
    versioned.send(1)
    assert versioned.version() == 2
    network.faults = iter([Fault.DOUBLED])
    versioned.contracts.delete("1001", uuid4().hex)
    assert versioned.version() == 3


def test_a_contract_stored_before_versions_starts_to_count(versioned: Versioned) -> None:
    versioned.create()
    versioned.client.update_item(
        TableName=versioned.table,
        Key=key_of("1001"),
        UpdateExpression="REMOVE #version",
        ExpressionAttributeNames={"#version": "version"},
    )
    stored = versioned.contracts.get("1001")
    assert stored is not None
    assert stored.version == 0
    versioned.send(1)
    assert versioned.version() == 1
