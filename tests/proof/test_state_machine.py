"""Whatever is done to contracts, in whatever order, the stores say what the rules say."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from domain.contracts.contract import Contract, ContractExistsError, ContractNotFoundError
from domain.contracts.events import Action, Component, ComponentEvent, EventType
from domain.contracts.folds import fold
from domain.contracts.timelines import advance
from domain.contracts.trails import Entry, Reception, Source
from domain.contracts.verdicts import Verdict, decide
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.replay import replay
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from tests.conftest import create_table
from tests.engines import client_of
from tests.proof_level import cases
from tests.small_cases import day, instant

RUNS, STEPS = cases(4, 500), 50

numbers = st.sampled_from(["a", "b"])
events = st.builds(
    lambda component, action, at, on: (EventType.of(component, action), instant(at), day(on)),
    st.sampled_from(Component),
    st.sampled_from(Action),
    st.integers(1, 6),
    st.integers(1, 3),
)


class Contracts(RuleBasedStateMachine):
    """Contracts on the engine beside contracts in memory."""

    client: Any
    table: str

    def __init__(self) -> None:
        super().__init__()
        self.prefix = uuid4().hex
        self.contracts = ContractStore(self.client, self.table)
        self.trails = TrailStore(self.client, self.table)
        # Two, as two environments of a function: each remembers generations of its own.
        self.timelines = [TimelineStore(self.client, self.table, audited=True) for _ in range(2)]
        self.known: dict[str, Contract] = {}
        self.trail: dict[str, dict[str, Entry]] = {}
        self.generations: dict[str, int] = {}
        self.received = 10

    def by(self) -> Correcting:
        self.received += 1
        reception = Reception(instant(self.received), Source.API, uuid4().hex)
        return Correcting(reception, utc_now, lambda: uuid4().hex)

    def number(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    @rule(name=numbers, components=st.lists(st.sampled_from(Component), min_size=1, unique=True))
    def create(self, name: str, components: list[Component]) -> None:
        number = self.number(name)
        contract = Contract.new(number, uuid4().hex, instant(0), tuple(components))
        if number in self.known:
            with pytest.raises(ContractExistsError):
                self.contracts.create(contract)
            return
        self.generations[number] = self.generations.get(number, 0) + 1
        self.known[number] = replace(contract, generation=self.generations[number])
        self.trail[number] = {}
        assert self.contracts.create(contract) == self.known[number]

    @rule(name=numbers)
    def delete(self, name: str) -> None:
        number = self.number(name)
        if number not in self.known:
            with pytest.raises(ContractNotFoundError):
                self.contracts.delete(number, uuid4().hex)
            return
        self.contracts.delete(number, uuid4().hex)
        del self.known[number], self.trail[number]

    @rule(name=numbers, event=events, store=st.integers(0, 1))
    def send(self, name: str, event: Any, store: int) -> None:
        kind, at, on = event
        key = uuid4().hex
        self._apply(ComponentEvent(kind, self.number(name), on, at, key, key), store, repeated=False)

    @rule(name=numbers, store=st.integers(0, 1), data=st.data())
    def send_again(self, name: str, store: int, data: st.DataObject) -> None:
        entries = list(self.trail.get(self.number(name), {}).values())
        if entries:
            self._apply(data.draw(st.sampled_from(entries)).event, store, repeated=True)

    def _apply(self, event: ComponentEvent, store: int, *, repeated: bool) -> None:
        self.received += 1
        reception = Reception(instant(self.received), Source.BUS, uuid4().hex)
        decision = self.timelines[store].apply(event, reception)
        number = event.contract_number
        if repeated:
            assert (decision.verdict, decision.repeated) == (self.trail[number][event.key].verdict, True)
            return
        verdict = decide(self.known.get(number), event)
        assert (decision.verdict, decision.repeated) == (verdict, False)
        if number in self.known:
            self.trail[number][event.key] = Entry(event, verdict, decision.message, reception)
        if verdict.accepted:
            self._advance(number, event, verdict)

    def _advance(self, number: str, event: ComponentEvent, verdict: Verdict) -> None:
        assert verdict.accepted
        contract, component = self.known[number], event.type.component
        states = {**contract.components, component: advance(contract.components[component], event)}
        self.known[number] = contract.with_states(states)

    @rule(name=numbers, dry_run=st.booleans())
    def replay(self, name: str, dry_run: bool) -> None:
        number = self.number(name)
        if number not in self.known:
            return
        after = fold(self.known[number], self.trail[number].values())
        assert replay(self.contracts, self.trails, number, self.by(), dry_run=dry_run).after == after
        if not dry_run:
            self.known[number] = after

    @invariant()
    def the_stores_say_what_the_rules_say(self) -> None:
        for name in "ab":
            number = self.number(name)
            stored = self.contracts.get(number)
            assert stored == self.known.get(number)

    def teardown(self) -> None:
        for number, contract in self.known.items():
            stored = {entry.event.key: entry for entry in self.trails.entries(contract)}
            assert stored == self.trail[number]
            ordered = [entry.event.created_at for entry in self.trails.entries(contract)]
            assert ordered == sorted(ordered)


def test_the_stores_say_what_the_rules_say_whatever_is_done(engine: str) -> None:
    Contracts.client = client_of(engine)
    Contracts.table = f"contracts-{uuid4().hex}"
    create_table(Contracts.client, "ContractsTable", Contracts.table)
    run_state_machine_as_test(
        Contracts,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
