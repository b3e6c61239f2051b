"""What follows from the spans of a contract: rows and counts."""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from random import Random

from domain.contracts.events import Component
from domain.portfolio.entries import Entry, KnownSpan, counter_changes, counters_of, counts_on, rows_of
from tests import portfolios
from tests.portfolios import random_entry

SUPPLY = Component.ENERGY_SUPPLY


def test_a_span_runs_on_its_first_and_its_last_day() -> None:
    span = KnownSpan(date(2024, 1, 1), date(2024, 1, 3))
    days = [date(2024, 1, 1) + timedelta(days=offset) for offset in range(-1, 4)]
    assert [span.is_active(day) for day in days] == [False, True, True, True, False]


def test_an_open_span_has_one_row_and_one_with_an_end_two() -> None:
    start, end = date(2024, 1, 1), date(2025, 1, 1)
    assert len(rows_of(Entry("1", 1, {SUPPLY: KnownSpan(start, None)}))) == 1
    rows = rows_of(Entry("1", 1, {SUPPLY: KnownSpan(start, end)}))
    assert {row.date for row in rows} == {start, end}
    assert rows_of(None) == frozenset()


def test_changes_of_counters_lead_from_one_entry_to_the_next() -> None:
    random = Random(1)
    entries = [None, *(random_entry(random, "1", version) for version in range(50)), None]
    total: dict[object, Counter[str]] = {}
    for before, after in pairwise(entries):
        for key, counts in counter_changes(before, after).items():
            assert 0 not in counts.values()
            total.setdefault(key, Counter()).update(counts)
        left = {key: +counts for key, counts in total.items() if +counts}
        assert left == counters_of(after)


def test_counts_are_those_of_brute_force_on_every_day() -> None:
    random = Random(2)
    entries = [random_entry(random, str(number)) for number in range(60)]
    months: dict[Component, dict[str, Counter[str]]] = {component: {} for component in Component}
    for entry in entries:
        for key, counts in counters_of(entry).items():
            months[key.component].setdefault(key.month, Counter()).update(counts)
    found = portfolios.spans(entries)
    for offset in range(-5, portfolios.DAYS + 1300, 3):
        day = portfolios.FIRST + timedelta(days=offset)
        counted = {component: counts_on(day, months[component]) for component in Component}
        assert counted == portfolios.counts(found, day)
