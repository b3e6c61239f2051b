"""Contracts with random spans, and what is true of them: answers to the portfolio's questions by brute force."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from domain.contracts.events import Component
from domain.portfolio.entries import CounterKey, Counts, Entry, KnownSpan, counters_of, rows_of
from infra.portfolio.portfolio_items import (
    counter_key,
    is_entry,
    is_row,
    read_counters,
    read_entry,
    read_row,
)
from infra.portfolio.queries import Kind, PortfolioQueries

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST = date(2020, 1, 1)
DAYS = 365 * 8

Answer = tuple[str, Component, date, date | None]


def random_span(random: Random) -> KnownSpan:
    """Return a span of the years 2020 to 2027; every second one is open."""
    start = FIRST + timedelta(days=random.randrange(DAYS))
    end = start + timedelta(days=random.choice((0, 1, 30, random.randrange(1200))))
    return KnownSpan(start, end if random.random() < 0.5 else None)


def random_entry(random: Random, number: str, version: int = 1) -> Entry:
    """Return a contract with up to three components that have started."""
    components = random.sample(list(Component), random.randrange(4))
    return Entry(number, version, {component: random_span(random) for component in components})


def spans(entries: Iterable[Entry]) -> list[Answer]:
    """Return all spans there are."""
    return [(entry.number, component, *span) for entry in entries for component, span in entry.spans.items()]


def active(found: Iterable[Answer], components: Iterable[Component], on: date) -> list[Answer]:
    """Return the spans that run on a day, sorted."""
    chosen = set(components)
    return sorted((one for one in found if one[1] in chosen and KnownSpan(*one[2:]).is_active(on)), key=str)


def counts(found: Iterable[Answer], on: date) -> dict[Component, Counts]:
    """Count spans for a day."""
    counted = {component: [0, 0, 0] for component in Component}
    for _, component, start, end in found:
        place = 1 if start > on else 2 if end is not None and end < on else 0
        counted[component][place] += 1
    return {component: Counts(*three) for component, three in counted.items()}


def changes(
    found: Iterable[Answer], components: Iterable[Component], kinds: Iterable[Kind], days: tuple[date, date]
) -> list[tuple[date, str, Component, Kind]]:
    """Return what starts or ends in a time, by date."""
    chosen, wanted = set(components), set(kinds)
    return sorted(
        (day, number, component, kind)
        for number, component, start, end in found
        for kind, day in ((Kind.START, start), (Kind.END, end))
        if component in chosen and kind in wanted and day is not None and days[0] <= day < days[1]
    )


def all_active(queries: PortfolioQueries, components: list[Component], on: date, limit: int) -> list[Answer]:
    """Follow the cursors to the end."""
    answers: list[Answer] = []
    after: str | None = None
    while True:
        page = queries.active(components, on, limit, after)
        assert len(page.rows) <= limit
        answers += [(row.number, row.partition.component, *row.span) for row in page.rows]
        after = page.next_after
        if after is None:
            return answers


def all_changes(
    queries: PortfolioQueries,
    components: list[Component],
    kinds: list[Kind],
    days: tuple[date, date],
    limit: int,
) -> list[tuple[date, str, Component, Kind]]:
    """Follow the cursors to the end."""
    answers: list[tuple[date, str, Component, Kind]] = []
    after: str | None = None
    while True:
        page = queries.changes(components, kinds, days, limit, after)
        answers += [
            (change.date, change.number, change.row.partition.component, change.kind)
            for change in page.changes
        ]
        after = page.next_after
        if after is None:
            return answers


def ask(
    queries: PortfolioQueries, found: list[Answer], random: Random, limits: tuple[int, ...] = (200,)
) -> None:
    """Ask one random question, and compare the answer with the truth."""
    components = random.choice([[component] for component in Component] + [list(Component)])
    on = FIRST + timedelta(days=random.randrange(-10, DAYS + 500))
    kind = random.randrange(3)
    limit = random.choice(limits)
    if kind == 0:
        assert sorted(all_active(queries, components, on, limit), key=str) == active(found, components, on)
    elif kind == 1:
        assert queries.counts(on) == counts(found, on)
    else:
        kinds = random.choice([[Kind.START], [Kind.END], list(Kind)])
        days = (on, on + timedelta(days=random.choice((1, 7, 31))))
        assert all_changes(queries, components, kinds, days, limit) == changes(found, components, kinds, days)


def table_of(client: "DynamoDBClient", table: str) -> dict[str, Any]:
    """Read the whole portfolio: entries, rows and counters that are not zero."""
    items = [
        item
        for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
        for item in page["Items"]
    ]
    return {
        "entries": {item["number"]["S"]: read_entry(item) for item in items if is_entry(item)},
        "rows": {read_row(item) for item in items if is_row(item)},
        "counters": {
            (item["pk"]["S"], item["sk"]["S"]): kept
            for item in items
            if item["pk"]["S"].startswith("COUNT#") and (kept := read_counters(item))
        },
    }


def expected_table(entries: Mapping[str, Entry]) -> dict[str, Any]:
    """Return what the portfolio has to hold for these entries."""
    counters: dict[CounterKey, dict[str, int]] = {}
    for entry in entries.values():
        for key, counted in counters_of(entry).items():
            month = counters.setdefault(key, {})
            for name, count in counted.items():
                month[name] = month.get(name, 0) + count
    keys = {key: counter_key(key) for key in counters}
    return {
        "entries": dict(entries),
        "rows": {row for entry in entries.values() for row in rows_of(entry)},
        "counters": {
            (keys[key]["pk"]["S"], keys[key]["sk"]["S"]): counted for key, counted in counters.items()
        },
    }
