"""The condition of the write and the rules in Python say the same, in every small case."""

import random
import re
from typing import TYPE_CHECKING

import pytest

from domain.contracts import Action, ComponentEvent, Contract
from domain.timelines import Verdict, advance, decide
from infra import timelines
from infra.aws import OutcomeUnknownError
from infra.contracts import ContractStore, to_item
from infra.timelines import CONDITIONS, TimelineStore
from tests import small_cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.xdist_group("engine")

Case = tuple[Contract | None, ComponentEvent]


def all_cases() -> list[Case]:
    cases = [
        (contract, event)
        for contract in small_cases.contracts("1001")
        for event in small_cases.events("1001")
    ]
    # In an order that meets a difference early; the seed keeps it the same every time.
    random.Random(20240101).shuffle(cases)
    return cases


class Bench:
    """Puts a contract into a state, applies an event, and looks at what is stored then."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client, self.table = client, table
        self.contracts = ContractStore(client, table)
        self.timelines = TimelineStore(client, table)

    def transition(self, contract: Contract | None, event: ComponentEvent) -> tuple[Verdict | None, Contract | None]:
        key = timelines.key_of(event.contract_number)
        if contract is None:
            self.client.delete_item(TableName=self.table, Key=key)
        else:
            self.client.put_item(TableName=self.table, Item=to_item(contract))
        try:
            verdict = self.timelines.apply(event)
        except OutcomeUnknownError:
            verdict = None
        return verdict, self.contracts.get(event.contract_number)


def expected(contract: Contract | None, event: ComponentEvent) -> tuple[Verdict, Contract | None]:
    verdict = decide(contract, event)
    if contract is None or not verdict.accepted:
        return verdict, contract
    component = event.type.component
    after = dict(contract.components) | {component: advance(contract.components[component], event)}
    return verdict, Contract(contract.number, contract.id, contract.created_at, after)


@pytest.fixture
def bench(engine_client: "DynamoDBClient", engine_table: str) -> Bench:
    return Bench(engine_client, engine_table)


def test_the_condition_and_the_rules_agree_on_every_small_case(bench: Bench) -> None:
    cases = all_cases()
    different = [case for case in cases if bench.transition(*case) != expected(*case)]
    assert len(cases) == 27 * 50
    assert different == []


def mutants() -> list[tuple[Action, str]]:
    """Return the conditions with one clause left out, one comparison bent, or one AND made an OR."""
    bent = {"<": ["<=", ">"], ">": [">=", "<"], "<=": ["<", ">="], ">=": [">", "<="]}
    found: list[tuple[Action, str]] = []
    for action, condition in CONDITIONS.items():
        clauses = re.split(r" AND (?![^(]*\)\))", condition)
        assert len(clauses) == 3, clauses
        found += [
            (action, " AND ".join(clauses[:left_out] + clauses[left_out + 1 :])) for left_out in range(len(clauses))
        ]
        for match in re.finditer(r"<=|>=|<|>", condition):
            found += [
                (action, condition[: match.start()] + other + condition[match.end() :]) for other in bent[match[0]]
            ]
        for match in re.finditer(r"\b(AND|OR)\b", condition):
            other = "OR" if match[0] == "AND" else "AND"
            found.append((action, condition[: match.start()] + other + condition[match.end() :]))
        for match in re.finditer(r"attribute_not_exists\([^)]*\) OR ", condition):
            found.append((action, condition[: match.start()] + condition[match.end() :]))
    return found


@pytest.mark.parametrize(("action", "mutant"), mutants())
def test_a_condition_with_one_fault_is_found_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, action: Action, mutant: str
) -> None:
    monkeypatch.setitem(CONDITIONS, action, mutant)
    assert any(bench.transition(*case) != expected(*case) for case in all_cases())
