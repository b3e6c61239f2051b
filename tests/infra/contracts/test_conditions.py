"""The condition of the write and the rules in Python say the same, in every small case."""

import random
import re
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Action, ComponentEvent
from domain.contracts.timelines import advance
from domain.contracts.trails import Reception, Source
from domain.contracts.verdicts import Verdict, decide
from infra.contracts.contract_items import key_of, to_item
from infra.contracts.contract_store import ContractStore
from infra.contracts.event_conditions import CONDITIONS
from infra.contracts.timeline_store import TimelineStore
from infra.write_outcomes import WriteFailedError
from tests import small_cases
from tests.proof_level import IS_FULL

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Case = tuple[Contract | None, ComponentEvent]
Transition = tuple[Verdict | None, Contract | None]


RECEPTION = Reception(small_cases.instant(9), Source.API, "request")


def some_cases() -> list[Case]:
    contracts, events = small_cases.contracts("1001"), small_cases.events("1001")
    cases = [
        (contract, replace(event, key=f"arriving-{index}"))
        for index, (contract, event) in enumerate(product(contracts, events))
    ]
    # In an order that meets a difference early; the seed keeps it the same every time.
    random.Random(20240101).shuffle(cases)
    assert len(cases) == 27 * 50
    return cases if IS_FULL else cases[: len(cases) // 5]


class Bench:
    """Puts a contract into a state, applies an event, and looks at what is stored then."""

    def __init__(self, client: "DynamoDBClient", table: str, *, audited: bool) -> None:
        self.client, self.table = client, table
        self.contracts = ContractStore(client, table)
        self.timelines = TimelineStore(client, table, audited=audited)

    def transition(
        self, contract: Contract | None, event: ComponentEvent
    ) -> tuple[Verdict | None, Contract | None]:
        key = key_of(event.contract_number)
        if contract is None:
            self.client.delete_item(TableName=self.table, Key=key)
        else:
            self.client.put_item(TableName=self.table, Item=to_item(contract))
        try:
            verdict = self.timelines.apply(event, RECEPTION).verdict
        except WriteFailedError:
            verdict = None
        return verdict, self.contracts.get(event.contract_number)


def expected(contract: Contract | None, event: ComponentEvent) -> Transition:
    verdict = decide(contract, event)
    if contract is None or not verdict.accepted:
        return verdict, contract
    component = event.type.component
    return verdict, contract.with_states(
        {**contract.components, component: advance(contract.components[component], event)}
    )


@pytest.fixture(params=[True, False], ids=["with a trail", "without"])
def bench(engine_client: "DynamoDBClient", engine_table: str, request: pytest.FixtureRequest) -> Bench:
    return Bench(engine_client, engine_table, audited=request.param)


def test_the_condition_and_the_rules_agree(bench: Bench) -> None:
    assert [case for case in some_cases() if bench.transition(*case) != expected(*case)] == []


def mutants() -> list[tuple[Action, str]]:
    """Return the conditions with one clause removed, one comparison changed, or one AND replaced by OR."""
    bent = {"<": ["<=", ">"], ">": [">=", "<"], "<=": ["<", ">="], ">=": [">", "<="]}
    found: list[tuple[Action, str]] = []
    for action, condition in CONDITIONS.items():
        clauses = re.split(r" AND (?![^(]*\)\))", condition)
        assert len(clauses) == 3, clauses
        found += [
            (action, " AND ".join(clauses[:left_out] + clauses[left_out + 1 :]))
            for left_out in range(len(clauses))
        ]
        for match in re.finditer(r"<=|>=|<|>", condition):
            found += [
                (action, condition[: match.start()] + other + condition[match.end() :])
                for other in bent[match[0]]
            ]
        for match in re.finditer(r"\b(AND|OR)\b", condition):
            other = "OR" if match[0] == "AND" else "AND"
            found.append((action, condition[: match.start()] + other + condition[match.end() :]))
        for match in re.finditer(r"attribute_not_exists\([^)]*\) OR ", condition):
            found.append((action, condition[: match.start()] + condition[match.end() :]))
    return found


@pytest.mark.parametrize("bench", [False], indirect=True, ids=[""])
@pytest.mark.parametrize(("action", "mutant"), mutants())
def test_a_condition_with_one_fault_is_detected(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, action: Action, mutant: str
) -> None:
    monkeypatch.setitem(CONDITIONS, action, mutant)
    assert any(bench.transition(*case) != expected(*case) for case in some_cases())
