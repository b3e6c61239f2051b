"""Replays, voids and patches stay true on a network that loses, doubles, throttles and conflicts."""

import random
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.contracts.contract import ComponentInUseError, Contract
from domain.contracts.events import Action, Component, ComponentEvent, EventType
from domain.contracts.folds import fold, void
from domain.contracts.history import require_recorded
from domain.contracts.trails import (
    AlreadyVoidedError,
    Changed,
    Correction,
    Reception,
    Replayed,
    Source,
    Trail,
    TrailIncompleteError,
    Voided,
)
from infra.contracts import contract_store
from infra.contracts.change_components import change_components
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.replay import replay
from infra.contracts.trail_rows import put_of_correction
from infra.contracts.trail_store import TrailStore
from infra.contracts.void_event import Target, void_event
from infra.write_outcomes import DEPENDENCY_ERRORS, Applied, WriteFailedError
from tests import small_cases
from tests.contract_histories import items_of, put_all
from tests.engines import client_of
from tests.faults import Crash, Fault, FaultyNetwork
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PLANS = cases(24, 512)
_PLANS_OF_A_CLIENT = 4
TWO = (Component.ENERGY_SUPPLY, Component.BATTERY_OPTIMIZATION)
RECEPTION = Reception(small_cases.instant(9), Source.API, "request")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between attempts; the order of calls is what matters."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


class Plan:
    """One contract whose events arrived in disorder, and corrections of it on a faulty network."""

    def __init__(self, clean: "DynamoDBClient", faulty: "DynamoDBClient", table: str, seed: int) -> None:
        self.rng = random.Random(seed)
        self.number = f"c{seed}-{uuid4().hex[:8]}"
        self.contracts, self.trails = ContractStore(clean, table), TrailStore(clean, table)
        self.faulty = ContractStore(faulty, table), TrailStore(faulty, table)
        self.found: list[str] = []
        self.keys = [uuid4().hex for _ in range(5)]

    def items(self) -> list[Any]:
        """Return what is stored before anything is corrected."""
        now = utc_now()
        contract = Contract.new(self.number, uuid4().hex, now, TWO, stored_at=now)
        return items_of(contract, [self._event(key) for key in self.keys], RECEPTION)

    def _event(self, key: str) -> ComponentEvent:
        kind = EventType.of(TWO[0], self.rng.choice([Action.START, Action.END]))
        at, on = small_cases.instant(self.rng.randint(1, 9)), small_cases.day(self.rng.randint(1, 3))
        return ComponentEvent(kind, self.number, on, at, key)

    def stored(self) -> tuple[Contract, Trail]:
        contract = self.contracts.get(self.number)
        assert contract is not None
        return contract, self.trails.whole(contract)

    def run(self, network: FaultyNetwork, *, resends: bool) -> None:
        self.before = self.stored()
        for _ in range(3):
            self.rng.choice([self.replay, self.void, self.patch])(network, resends)

    def replay(self, network: FaultyNetwork, resends: bool) -> None:
        before, trail = self.before
        after = fold(before, trail.standing)
        rows = int(after.components != before.components)
        self._try(
            network,
            resends,
            after,
            Replayed,
            rows,
            lambda by: replay(*self.faulty, self.number, by, dry_run=False),
        )

    def void(self, network: FaultyNetwork, resends: bool) -> None:
        before, trail = self.before
        target = Target(self.rng.choice(self.keys), "reason")
        try:
            after, rows = void(before, trail, target.key), 1
        except AlreadyVoidedError:
            after, rows = before, 0
        self._try(
            network,
            resends,
            after,
            Voided,
            rows,
            lambda by: void_event(*self.faulty, self.number, target, by, dry_run=False),
        )

    def patch(self, network: FaultyNetwork, resends: bool) -> None:
        before, _ = self.before
        names = self.rng.choice([TWO, TWO[:1], TWO[::-1], tuple(Component)])
        try:
            after = before.with_components(names)
        except ComponentInUseError:
            after = before
        rows = int(tuple(after.components) != tuple(before.components))
        self._try(
            network,
            resends,
            after,
            Changed,
            rows,
            lambda by: change_components(self.faulty[0], self.number, names, by, audited=True),
        )

    def _try(
        self,
        network: FaultyNetwork,
        resends: bool,
        after: Contract,
        kind: type[Correction],
        rows: int,
        correct: Callable[[Correcting], object],
    ) -> None:
        """Correct under faults, and compare what was answered with what is stored."""
        network.faults = iter(self.rng.choices(list(Fault), k=self.rng.randint(0, 8)))
        answer, sendings = "none", 0
        while answer == "none" and sendings < (20 if resends else 1):
            sendings += 1
            try:
                correct(Correcting(RECEPTION, utc_now, lambda: uuid4().hex))
                answer = "done"
            except AlreadyVoidedError:
                answer = "voided before"
            except ComponentInUseError:
                answer = "in use"
            except (WriteFailedError, Crash, *DEPENDENCY_ERRORS):
                continue  # not known, or a read that failed
        network.faults = iter(())
        self._compare(after, (kind, rows), (answer, sendings))

    def _compare(self, after: Contract, expected: tuple[type, int], given: tuple[str, int]) -> None:
        before, earlier = self.before
        stored, trail = self.before = self.stored()
        kind, rows = expected
        answer, sendings = given
        added = trail.corrections[len(earlier.corrections) :]
        is_done = list(stored.components.items()) == list(after.components.items()) and len(added) == rows
        is_untouched = stored == before and not added
        if not (is_done or is_untouched) or any(not isinstance(row, kind) for row in added):
            self.found.append(f"{self.number}: {kind.__name__} left {stored} and {added}")
        if answer == "done" and not is_done:
            self.found.append(f"{self.number}: {kind.__name__} was answered, and not stored")
        if answer == "voided before" and rows and (sendings == 1 or not is_done):
            self.found.append(f"{self.number}: an event was said to be voided before, and was not")
        try:
            require_recorded(stored, trail)
        except TrailIncompleteError:
            self.found.append(f"{self.number}: {kind.__name__} left a state without its row")


Run = Callable[..., Iterator[str]]


@pytest.fixture
def run(engine: str, engine_client: "DynamoDBClient", engine_table: str) -> Run:
    """Return what runs some plans and yields what was false."""

    def run_plans(plans: int, *, resends: bool = True) -> Iterator[str]:
        for first in range(0, plans, _PLANS_OF_A_CLIENT):
            client = client_of(engine)
            network = FaultyNetwork(client)
            seeds = range(first, min(plans, first + _PLANS_OF_A_CLIENT))
            some = [Plan(engine_client, client, engine_table, seed) for seed in seeds]
            put_all(engine_client, engine_table, chain.from_iterable(plan.items() for plan in some))
            for plan in some:
                plan.run(network, resends=resends)
                yield from plan.found

    return run_plans


def are_more_than(number: int, found: Iterator[str]) -> bool:
    """Return whether more was found, and look no further than that."""
    return len(list(islice(found, number + 1))) > number


def test_no_answer_is_false_and_no_state_is_without_its_row(run: Run) -> None:
    assert list(run(PLANS)) == []


def test_no_answer_is_false_if_nothing_is_sent_again_either(run: Run) -> None:
    assert list(run(PLANS // 4, resends=False)) == []


def test_the_same_plans_detect_a_store_that_writes_the_row_after_the_state(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_two_writes(
        store: ContractStore, before: Contract, after: Contract, row: Correction | None = None
    ) -> bool:
        assert row is not None
        update = contract_store._correction_of(before, after, row)
        if not isinstance(store.writer.update(TableName=store.table, **update), Applied):
            return False
        put: Any = put_of_correction(before.number, before.generation, row, "token")
        store.writer.put(TableName=store.table, **put)
        return True

    monkeypatch.setattr(ContractStore, "correct", in_two_writes)
    assert are_more_than(PLANS // 4 // 20, run(PLANS // 4))


def test_the_same_plans_detect_a_store_that_ignores_what_was_written_since_it_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct = ContractStore.correct

    def doubled(
        store: ContractStore, before: Contract, after: Contract, row: Correction | None = None
    ) -> bool:
        correct(store, before, after, row)
        return correct(store, before, after, row)

    monkeypatch.setattr(ContractStore, "correct", doubled)
    monkeypatch.setattr(
        contract_store, "IS_AS_READ", "#id = :id AND (#version = :version OR #version > :one)"
    )
    monkeypatch.setattr(contract_store, "put_of_correction", _put_under_a_fresh_key)
    assert are_more_than(PLANS // 4 // 20, run(PLANS // 4))


def _put_under_a_fresh_key(number: str, generation: int, row: Correction, token: str) -> dict[str, Any]:
    put = put_of_correction(number, generation, row, token)
    put["Item"]["sk"] = {"S": f"{put['Item']['sk']['S']}{uuid4().hex}"}
    return put
