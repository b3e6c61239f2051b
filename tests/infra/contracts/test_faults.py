"""Answers stay true on a network that loses answers, doubles requests and fails at any point."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Action, Component, ComponentEvent, EventType
from domain.contracts.timelines import advance
from domain.contracts.trails import Reception, Source
from domain.contracts.verdicts import Code, decide
from infra.contracts.contract_items import read_contract
from infra.contracts.contract_store import ContractStore
from infra.contracts.event_conditions import update_of
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.write_outcomes import DEPENDENCY_ERRORS, OutcomeUnknownError, WriteFailedError
from tests import small_cases
from tests.contract_histories import items_of, put_all
from tests.engines import client_of
from tests.faults import Crash, Fault, FaultyNetwork
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PLANS = cases(32, 512)
# botocore's budget of retries is a client's, and would be used up by more.
_PLANS_OF_A_CLIENT = 4
COMPONENT = Component.ENERGY_SUPPLY
Apply = Callable[[ComponentEvent, Reception], Code]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between attempts; the order of calls is what matters."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


class Publisher:
    """Sends events one after another; what has no answer is sent again, as a queue would."""

    def __init__(self, apply: Apply, *, resends: bool) -> None:
        self.apply, self.resends = apply, resends
        self.requests = count()
        self.sent = 0

    def send(self, event: ComponentEvent) -> Code | None:
        self.sent += 1
        for _ in range(20 if self.resends else 1):
            reception = Reception(small_cases.instant(9), Source.BUS, f"request-{next(self.requests)}")
            try:
                return self.apply(event, reception)
            except (WriteFailedError, Crash):
                continue
        return None


def create(contracts: ContractStore, number: str) -> Contract:
    return contracts.create(Contract.new(number, uuid4().hex, small_cases.instant(0), (COMPONENT,)))


def random_events(rng: random.Random, number: str) -> list[ComponentEvent]:
    return [
        ComponentEvent(
            EventType.of(COMPONENT, rng.choice(list(Action))),
            number,
            small_cases.day(rng.randint(1, 3)),
            small_cases.instant(rng.randint(1, 4)),
            key=f"event-{index}",
            id=f"id-{index}",
        )
        for index in range(4)
    ]


class Plan:
    """Events for one contract, and the faults that they meet.

    Half of the contracts had a former one of their number, which knew the same events; a quarter
    are deleted in the end, and get all of them again.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.number = f"c{seed}-{uuid4().hex[:8]}"
        self.events = random_events(self.rng, self.number)
        self.has_former, self.is_deleted = seed % 2 == 1, seed % 4 == 1

    def former_items(self) -> list[Any]:
        """Return what the former contract has left, if there was one, before it is deleted."""
        if not self.has_former:
            return []
        contract = Contract.new(self.number, uuid4().hex, small_cases.instant(0), (COMPONENT,))
        return items_of(contract, self.events, Reception(small_cases.instant(9), Source.BUS, "former"))

    def anomalies(
        self, contracts: ContractStore, apply: Apply, network: FaultyNetwork, *, resends: bool
    ) -> Iterator[str]:
        """Run the plan; say of each event whether the answer was not what happened."""
        if self.has_former:
            contracts.delete(self.number, uuid4().hex)
        expected: Contract | None = create(contracts, self.number)
        publisher = Publisher(apply, resends=resends)
        for event in self.events + (self.events if self.is_deleted else []):
            if expected is not None and event in self.events[:1] and publisher.sent == len(self.events):
                contracts.delete(self.number, uuid4().hex)
                expected = None
            network.faults = iter(self.rng.choices(list(Fault), k=self.rng.randint(0, 5)))
            answer = publisher.send(event)
            network.faults = iter(())
            stored = contracts.get(self.number)
            verdict = decide(expected, event)
            after = (
                expected.with_states({COMPONENT: advance(expected.components[COMPONENT], event)})
                if expected and verdict.accepted
                else expected
            )
            if answer is None and stored == expected:
                continue  # no answer, and nothing happened
            if stored != after:
                yield f"{self.seed}: {event.key} left another state than the rules"
            if answer not in (None, verdict.code):
                yield f"{self.seed}: {event.key} was answered {answer}, and is {verdict.code}"
            expected = stored


class Plans:
    """A table on the engine, a client with faults for what is tried, one without to look."""

    def __init__(self, engine: str, client: "DynamoDBClient", table: str) -> None:
        self.engine, self.table = engine, table
        self.contracts = ContractStore(client, table)
        self.trails = TrailStore(client, table)

    def present(self, number: str) -> tuple[object, ...]:
        """Return a contract and its trail, without what is of another number or time."""
        contract = self.contracts.get(number)
        assert contract is not None
        rows = [
            (
                replace(row.event, contract_number=""),
                row.verdict,
                row.message.replace(number, ""),
                row.reception,
            )
            for row in self.trails.entries(contract)
        ]
        return contract.components, contract.generation, contract.version, rows

    def run(
        self,
        store: Callable[["DynamoDBClient", str], Apply],
        plans: int = PLANS // 4,
        *,
        resends: bool = True,
    ) -> Iterator[str]:
        for first in range(0, plans, _PLANS_OF_A_CLIENT):
            client = client_of(self.engine)
            network = FaultyNetwork(client)
            some = [Plan(seed) for seed in range(first, min(plans, first + _PLANS_OF_A_CLIENT))]
            former = chain.from_iterable(plan.former_items() for plan in some)
            put_all(self.contracts.client, self.table, former)
            for plan in some:
                yield from plan.anomalies(self.contracts, store(client, self.table), network, resends=resends)


@pytest.fixture
def plans(engine: str, engine_client: "DynamoDBClient", engine_table: str) -> Plans:
    return Plans(engine, engine_client, engine_table)


def with_a_trail(client: "DynamoDBClient", table: str) -> Apply:
    store = TimelineStore(client, table, audited=True)
    return lambda event, reception: store.apply(event, reception).verdict.code


def without_a_trail(client: "DynamoDBClient", table: str) -> Apply:
    store = TimelineStore(client, table, audited=False)
    return lambda event, reception: store.apply(event, reception).verdict.code


def naive(client: "DynamoDBClient", table: str) -> Apply:
    """Believe every refusal of the condition, as one would who forgot that requests are sent again."""

    def apply(event: ComponentEvent, _: Reception) -> Code:
        try:
            client.update_item(
                TableName=table, ReturnValuesOnConditionCheckFailure="ALL_OLD", **update_of(event)
            )
        except client.exceptions.ConditionalCheckFailedException as error:
            stored: Any = error.response.get("Item")
            return decide(read_contract(stored), event).code
        except DEPENDENCY_ERRORS as error:
            raise OutcomeUnknownError from error
        return Code.ACCEPTED

    return apply


def test_no_answer_is_false_under_any_plan_of_faults(plans: Plans) -> None:
    assert list(plans.run(with_a_trail, PLANS)) == []


def test_no_answer_is_false_if_nothing_is_sent_again(plans: Plans) -> None:
    assert list(plans.run(with_a_trail, resends=False)) == []


def test_without_a_trail_no_answer_is_false_while_an_event_is_the_last_that_counts(plans: Plans) -> None:
    assert list(plans.run(without_a_trail)) == []


def test_the_same_plans_detect_a_handler_that_believes_every_refusal(plans: Plans) -> None:
    wanted = PLANS // 4 // 10 + 1
    assert len(list(islice(plans.run(naive), wanted))) == wanted


def test_a_former_contract_begins_as_the_stores_would_have_left_it(plans: Plans) -> None:
    for plan in (Plan(seed) for seed in (1, 3, 5)):
        put_all(plans.contracts.client, plans.table, plan.former_items())
        filled = plans.present(plan.number)
        number = plan.number = f"again-{plan.number}"
        create(plans.contracts, number)
        send = with_a_trail(plans.contracts.client, plans.table)
        for event in plan.events:
            send(
                replace(event, contract_number=number),
                Reception(small_cases.instant(9), Source.BUS, "former"),
            )
        assert plans.present(number) == filled


def test_every_event_has_one_row_whatever_was_lost(plans: Plans, engine: str) -> None:
    for seed in range(PLANS // 8):
        client = client_of(engine)
        network = FaultyNetwork(client)
        number = f"rows-{seed}"
        contract = create(plans.contracts, number)
        publisher = Publisher(with_a_trail(client, plans.table), resends=True)
        rng = random.Random(seed)
        answers = {}
        for event in random_events(rng, number):
            network.faults = iter(rng.choices(list(Fault), k=5))
            answers[event.key] = publisher.send(event)
        rows = {entry.event.key: entry.verdict.code for entry in plans.trails.entries(contract)}
        assert rows == answers
        client.close()


def test_an_overwritten_event_that_is_sent_again_is_known_with_a_trail_and_not_without(plans: Plans) -> None:
    """The weaker guarantee of ENABLE_EVENT_AUDIT=false."""

    def answer(store: Callable[["DynamoDBClient", str], Apply], number: str) -> Code:
        create(plans.contracts, number)
        apply = store(plans.contracts.client, plans.table)
        first, second = (
            ComponentEvent(
                EventType.SUPPLY_ENERGY_START,
                number,
                date(2024, 1, 1),
                small_cases.instant(at),
                f"key-{at}",
                f"{at}",
            )
            for at in (1, 2)
        )
        for index, event in enumerate((first, second)):
            apply(event, Reception(small_cases.instant(9), Source.BUS, f"request-{index}"))
        return apply(first, Reception(small_cases.instant(9), Source.BUS, "again"))

    assert answer(with_a_trail, "trail") is Code.ACCEPTED
    assert answer(without_a_trail, "no-trail") is Code.STALE_START


class Mixed:
    """A store with no memory of generations, on a network that puts a conflict into its next refusal."""

    def __init__(self, engine: str, table: str, fault: Fault) -> None:
        client = client_of(engine)
        FaultyNetwork(client).faults = iter([fault])
        self.store = TimelineStore(client, table, audited=True)


@pytest.mark.parametrize("fault", [Fault.CONFLICT_BESIDE_ROW, Fault.CONFLICT_BESIDE_UPDATE])
def test_a_row_of_a_former_contract_is_no_answer_though_a_conflict_hides_the_contract(
    plans: Plans, engine: str, fault: Fault
) -> None:
    number = f"mixed-{fault.name}"
    event = random_events(random.Random(1), number)[0]
    event = replace(event, type=EventType.of(COMPONENT, Action.START))
    reception = Reception(small_cases.instant(9), Source.BUS, "request")
    create(plans.contracts, number)
    assert with_a_trail(plans.contracts.client, plans.table)(event, reception) is Code.ACCEPTED
    plans.contracts.delete(number, uuid4().hex)
    create(plans.contracts, number)

    decision = Mixed(engine, plans.table, fault).store.apply(event, reception)

    assert (decision.verdict.code, decision.repeated) == (Code.ACCEPTED, False)
    stored = plans.contracts.get(number)
    assert stored is not None
    assert stored.components[COMPONENT].start is not None


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.CONFLICT_BESIDE_ROW, Fault.CONFLICT_BESIDE_UPDATE])
def test_a_deleted_contract_is_not_found_by_the_ids_it_knew(plans: Plans, engine: str, fault: Fault) -> None:
    number = f"deleted-{fault.name}"
    event = replace(random_events(random.Random(1), number)[0], type=EventType.of(COMPONENT, Action.START))
    reception = Reception(small_cases.instant(9), Source.BUS, "request")
    create(plans.contracts, number)
    assert with_a_trail(plans.contracts.client, plans.table)(event, reception) is Code.ACCEPTED
    plans.contracts.delete(number, uuid4().hex)

    answers = [Mixed(engine, plans.table, fault).store.apply(event, reception) for _ in range(2)]

    assert [answer.verdict.code for answer in answers] == [Code.CONTRACT_NOT_FOUND] * 2
    assert [answer.repeated for answer in answers] == [False, True]
