"""The portfolio on DynamoDB Local: in whatever order versions arrive, it ends as the newest."""

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from domain.contracts.events import Component
from domain.portfolio.entries import Entry
from infra.portfolio import portfolio_store
from infra.portfolio.portfolio_store import PortfolioStore
from infra.portfolio.queries import PortfolioQueries
from tests import portfolios
from tests.portfolios import expected_table, random_entry, random_span, table_of
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def store(engine_client: "DynamoDBClient", engine_portfolio: str) -> PortfolioStore:
    return PortfolioStore(engine_client, engine_portfolio)


def test_an_entry_is_stored_and_deleted_with_its_rows_and_counters(store: PortfolioStore) -> None:
    random = Random(1)
    entries = {number: random_entry(random, number) for number in ("1", "2", "3", "4", "5")}
    for entry in entries.values():
        assert store.apply(entry)
    assert table_of(store.client, store.table) == expected_table(entries)
    for entry in entries.values():
        assert store.apply(Entry(entry.number, 2))
    gone = {number: Entry(number, 2) for number in entries}
    assert table_of(store.client, store.table) == expected_table(gone)
    for number in entries:
        assert store.remove(number, 2)
    assert table_of(store.client, store.table) == expected_table({})


def test_an_older_version_and_the_same_one_again_change_nothing(store: PortfolioStore) -> None:
    random = Random(2)
    newest = random_entry(random, "1", 3)
    assert store.apply(newest)
    for version in (1, 2, 3):
        assert not store.apply(random_entry(random, "1", version))
    assert not store.remove("1", 2)
    assert table_of(store.client, store.table) == expected_table({"1": newest})


def test_the_entry_may_change_under_a_write_which_then_stores_nothing(store: PortfolioStore) -> None:
    """Two functions that work on one contract at once: the loser reads again."""
    random = Random(3)
    component = Component.ENERGY_SUPPLY
    first, second, third = (Entry("1", version, {component: random_span(random)}) for version in (1, 2, 3))
    assert store.replace(None, first)
    assert store.replace(first, third)
    assert not store.replace(first, second)
    assert not store.replace(None, second)
    assert not store.replace(replace(third, version=2), second)
    assert table_of(store.client, store.table) == expected_table({"1": third})


@pytest.mark.parametrize(
    ("condition", "mutant"),
    [
        ("ENTRY_IS_NEW", "attribute_not_exists(#pk) OR attribute_exists(#pk)"),
        ("ENTRY_IS_UNCHANGED", "#version >= :version AND #spans = :spans"),
        ("ENTRY_IS_UNCHANGED", "#version = :version OR #spans = :spans"),
    ],
)
def test_each_part_of_the_conditions_refuses_a_write_based_on_an_old_read(
    store: PortfolioStore, monkeypatch: pytest.MonkeyPatch, condition: str, mutant: str
) -> None:
    random = Random(3)
    component = Component.ENERGY_SUPPLY
    span = random_span(random)
    first, second = Entry("1", 1, {component: span}), Entry("1", 2, {component: span})
    third = Entry("1", 3, {component: random_span(random)})

    def losers_write() -> bool:
        """Write as two that saw what is no longer stored: no entry, or a former version of the same dates."""
        assert store.replace(None, first)
        assert store.replace(first, second)
        return store.replace(None, third) or store.replace(first, third)

    assert not losers_write()
    store.remove("1", 9)
    monkeypatch.setattr(portfolio_store, condition, mutant)
    assert losers_write()


def test_random_versions_in_random_order_end_as_the_newest(store: PortfolioStore) -> None:
    random = Random(4)
    versions = [random_entry(random, str(n % 10), n // 10) for n in range(cases(60, 200))]
    arriving = versions + random.sample(versions, len(versions) // 3)
    random.shuffle(arriving)
    for entry in arriving:
        store.apply(entry)
    assert table_of(store.client, store.table) == expected_table({entry.number: entry for entry in versions})


def test_answers_are_those_of_brute_force_whatever_the_size_of_a_page(store: PortfolioStore) -> None:
    random = Random(5)
    entries = [random_entry(random, str(number)) for number in range(cases(40, 150))]
    for entry in entries:
        store.apply(entry)
    found = portfolios.spans(entries)
    queries = PortfolioQueries(store.client, store.table)
    for _ in range(cases(10, 40)):
        portfolios.ask(queries, found, random, limits=(1, 7, 20, 200))
