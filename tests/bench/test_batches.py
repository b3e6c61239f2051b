"""A batch of events for many contracts, compared with the same number of events one after another."""

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from infra.contracts.apply_events import Arrival, apply_all
from infra.contracts.contract_store import ContractStore
from infra.contracts.timeline_store import Decision, TimelineStore
from tests.bench.ratios import best_of_tries, seconds_of
from tests.engines import client_of
from tests.small_cases import day, instant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EVENTS, TURNS = 100, 1
LIMIT = 1 / 3
# The delay between a function and DynamoDB: the engine here has neither a network nor replicas, and executes one
# transaction after another.
LATENCY_SECONDS = 0.02


def with_latency(client: "DynamoDBClient") -> "DynamoDBClient":
    def wait(**_: Any) -> None:
        time.sleep(LATENCY_SECONDS)

    client.meta.events.register("before-send.dynamodb.*", wait)
    return client


def arrivals(contracts: ContractStore) -> list[Arrival]:
    """Return a start for each of a hundred new contracts."""
    reception = Reception(instant(9), Source.BUS, "request")
    found = []
    for _ in range(EVENTS):
        number = uuid4().hex
        contracts.create(Contract.new(number, uuid4().hex, instant(0), (Component.ENERGY_SUPPLY,)))
        event = ComponentEvent(EventType.SUPPLY_ENERGY_START, number, day(1), instant(1), uuid4().hex)
        found.append(Arrival(event, reception))
    return found


def test_a_batch_for_100_contracts_takes_at_most_a_third_of_the_time_of_single_events(
    engine: str, engine_client: "DynamoDBClient", engine_table: str
) -> None:
    contracts = ContractStore(engine_client, engine_table)
    store = TimelineStore(with_latency(client_of(engine)), engine_table, audited=True)
    prepared: list[list[Arrival]] = []

    def at_once() -> None:
        outcomes = apply_all(store, prepared.pop())
        assert all(isinstance(outcome, Decision) and outcome.verdict.accepted for outcome in outcomes)

    def in_turn() -> None:
        decisions = [store.apply(*arrival[:3]) for arrival in prepared.pop()]
        assert all(decision.verdict.accepted for decision in decisions)

    def ratio() -> float:
        prepared.extend(arrivals(contracts) for _ in range(2 * (TURNS + 1)))
        batch, single = seconds_of(at_once, in_turn, turns=TURNS, clock=time.perf_counter)
        return batch / single

    least = best_of_tries(LIMIT, ratio)
    print(f"\nbatch of {EVENTS} for {EVENTS} contracts / one after another: {least:.2f}")
    assert least <= LIMIT
