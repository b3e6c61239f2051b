"""The log of decided events by day, on DynamoDB Local."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from domain.contracts.events import ComponentEvent, EventType
from domain.contracts.trails import Entry, Reception, Source
from domain.contracts.verdicts import Code, Verdict
from infra.contracts.trail_rows import put_of
from infra.portfolio.event_log import EventLog, is_decided_event
from tests.contract_histories import put_all
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DAY = date(2024, 3, 1)


@pytest.fixture
def log(engine_client: "DynamoDBClient", engine_portfolio: str) -> EventLog:
    return EventLog(engine_client, engine_portfolio, days=30)


def row(random: Random, number: int, day: date = DAY) -> dict[str, Any]:
    """Return the row of a decided event of a day, as the table of contracts has it."""
    # Few instants, so that many rows share one.
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=random.randrange(40))
    event = ComponentEvent(
        random.choice(list(EventType)), f"c-{random.randrange(30)}", day, at, f"key{number}", None
    )
    code = random.choice([Code.ACCEPTED, Code.STALE_END, Code.CONTRACT_NOT_FOUND])
    entry = Entry(event, Verdict(code), "Because.", Reception(at, Source.BUS, "request"))
    item: dict[str, Any] = put_of(entry, 1, "token")["Item"]
    return item


def keys(log: EventLog, day: date, limit: int, wanted: Mapping[str, str]) -> list[str]:
    """Follow the cursors to the end."""
    found, after = [], None
    while True:
        page = log.page(day, limit, after, wanted)
        assert len(page.entries) <= limit
        found += [entry.event.key for entry in page.entries]
        after = page.next_after
        if after is None:
            return found


def newest_first(item: Mapping[str, Any]) -> tuple[int, str, str]:
    return int(item["received_at"]["N"]), item["number"]["S"], item["key"]["S"]


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_pages_hold_each_event_of_the_day_once_and_the_newest_first(log: EventLog, limit: int) -> None:
    random = Random(limit)
    rows = [row(random, number) for number in range(cases(30, 90))]
    put_all(log.client, log.table, map(log.item_of, rows))
    for item in [*random.sample(rows, len(rows) // 5), row(random, 0, DAY - timedelta(days=1))]:
        log.add(item, today=DAY)
    for wanted in ({}, {"status": "rejected"}, {"code": "stale_end", "component": "energy_supply"}):
        matching = [item for item in rows if all(item[name]["S"] == wanted[name] for name in wanted)]
        expected = [item["key"]["S"] for item in sorted(matching, key=newest_first, reverse=True)]
        assert keys(log, DAY, limit, wanted) == expected


def test_with_a_rare_filter_a_page_may_be_short_and_still_leave_nothing_out(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a day has so many events that no page reads all."""
    monkeypatch.setattr("infra.portfolio.event_log._ROWS_FILTERED_AT_ONCE", 3)
    monkeypatch.setattr("infra.portfolio.event_log._QUERIES_OF_A_SHARD", 2)
    random = Random(9)
    rows = [row(random, number) for number in range(cases(80, 150))]
    put_all(log.client, log.table, map(log.item_of, rows))
    wanted = {"code": "stale_end", "component": "heatpump_optimization"}
    matching = [item for item in rows if all(item[name]["S"] == wanted[name] for name in wanted)]
    assert keys(log, DAY, 2, wanted) == [
        item["key"]["S"] for item in sorted(matching, key=newest_first, reverse=True)
    ]


def test_events_of_days_that_are_kept_no_longer_are_not_logged(log: EventLog) -> None:
    item = row(Random(1), 1)
    assert not log.add(item, today=DAY + timedelta(days=30))
    assert log.add(item, today=DAY + timedelta(days=29))
    assert not EventLog(log.client, log.table, days=0).add(item, today=DAY)
    stored = log.item_of(item)
    assert int(stored["expires_at"]["N"]) == int(datetime(2024, 4, 1, tzinfo=UTC).timestamp())
    assert "token" not in stored


def test_only_rows_of_decided_events_are_logged() -> None:
    item = row(Random(2), 1)
    assert is_decided_event(item)
    assert is_decided_event({name: item[name] for name in item if name != "row_kind"})
    assert not is_decided_event(item | {"row_kind": {"S": "replayed"}})
    assert not is_decided_event(item | {"sk": {"S": "CONTRACT"}})
