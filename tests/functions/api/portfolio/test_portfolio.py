"""The routes of the portfolio: what they ask for, what they show, and what they refuse."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.contracts.events import Component
from domain.portfolio.entries import Entry, KnownSpan
from infra import aws
from infra.contracts.event_payloads import utc_now
from infra.portfolio.event_log import is_decided_event
from infra.stores import stores
from tests.conftest import forget
from tests.functions.api.calls import create, send

SUPPLY, BATTERY = Component.ENERGY_SUPPLY, Component.BATTERY_OPTIMIZATION
TODAY = datetime.now(UTC).date()


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.fixture
def filled(api: TestClient) -> None:
    ended = KnownSpan(day("2023-01-01"), day("2023-12-31"))
    entries = [
        Entry("1", 1, {SUPPLY: KnownSpan(day("2024-01-01"), None), BATTERY: ended}),
        Entry("2", 1, {SUPPLY: KnownSpan(day("2024-03-01"), day("2024-03-01"))}),
        Entry("3", 1, {SUPPLY: KnownSpan(TODAY + timedelta(days=10), None)}),
        Entry("4", 1, {}),
    ]
    for entry in entries:
        stores().portfolio.apply(entry)


def items(api: TestClient, path: str) -> list[Any]:
    """Follow the cursors to the end."""
    found, cursor = [], ""
    while True:
        answer = api.get(path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 200])
def test_what_runs_on_a_day_runs_from_the_start_through_the_end(
    api: TestClient, filled: None, limit: int
) -> None:
    def running(on: str) -> set[tuple[str, str]]:
        found = items(api, f"/portfolio?on={on}&limit={limit}")
        return {(item["contract_number"], item["component"]) for item in found}

    assert running("2022-12-31") == set()
    assert running("2023-01-01") == running("2023-12-31") == {("1", BATTERY)}
    assert running("2024-02-29") == running("2024-03-02") == {("1", SUPPLY)}
    assert running("2024-03-01") == {("1", SUPPLY), ("2", SUPPLY)}


def test_without_a_day_it_is_today(api: TestClient, filled: None) -> None:
    assert items(api, f"/portfolio?component={SUPPLY}") == [
        {"contract_number": "1", "component": SUPPLY, "start": "2024-01-01", "end": None}
    ]
    counts = api.get("/portfolio/counts").json()
    assert counts["on"] == TODAY.isoformat()
    assert counts["components"] == {
        SUPPLY: {"active": 1, "upcoming": 1, "ended": 1},
        BATTERY: {"active": 0, "upcoming": 0, "ended": 1},
        "heatpump_optimization": {"active": 0, "upcoming": 0, "ended": 0},
    }
    (change,) = items(api, "/portfolio/changes?limit=1")
    assert (change["contract_number"], change["kind"]) == ("3", "start")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2, 200])
def test_starts_and_ends_are_listed_by_date_in_a_half_open_range(
    api: TestClient, filled: None, limit: int
) -> None:
    path = f"/portfolio/changes?from=2023-12-31&to=2024-03-02&limit={limit}"
    assert [
        (item["kind"], item["contract_number"], item["component"], item["start"], item["end"])
        for item in items(api, path)
    ] == [
        ("end", "1", BATTERY, "2023-01-01", "2023-12-31"),
        ("start", "1", SUPPLY, "2024-01-01", None),
        ("end", "2", SUPPLY, "2024-03-01", "2024-03-01"),
        ("start", "2", SUPPLY, "2024-03-01", "2024-03-01"),
    ]
    assert len(items(api, f"{path}&kind=start")) == len(items(api, f"{path}&kind=end")) == 2
    assert items(api, f"/portfolio/changes?from=2023-12-30&to=2023-12-31&limit={limit}") == []


@pytest.mark.parametrize(
    "path",
    [
        "/portfolio?on=2024-02-30",
        "/portfolio?on=20240201",
        "/portfolio?component=gas",
        "/portfolio?limit=0",
        "/portfolio?limit=201",
        "/portfolio?day=2024-01-01",
        "/portfolio/counts?on=x",
        "/portfolio/counts?limit=5",
        "/portfolio/changes?kind=stop",
        "/portfolio/changes?from=2024-01-01&to=2024-01-01",
        "/portfolio/changes?from=2024-01-01&to=2025-01-02",
        "/portfolio/changes?from=2024-01-01&to=2023-01-02",
        "/portfolio/changes?to=x",
        "/events?day=x",
        "/events?status=maybe",
        "/events?code=unheard_of",
        "/events?component=gas",
        "/events?x=1",
    ],
)
def test_what_it_does_not_know_is_422(api: TestClient, path: str) -> None:
    assert api.get(path).status_code == 422


def test_a_range_may_have_366_days_and_end_with_the_calendar(api: TestClient) -> None:
    assert api.get("/portfolio/changes?from=2024-01-01&to=2025-01-01").status_code == 200
    assert api.get("/portfolio/changes?from=9999-12-31").status_code == 200
    assert api.get("/portfolio/changes?from=0001-01-01").status_code == 200


def test_a_cursor_of_another_question_is_400(api: TestClient, filled: None) -> None:
    cursor = api.get("/portfolio?on=2024-03-01&limit=1").json()["next_cursor"]
    for path in (
        "/portfolio?on=2024-03-02&limit=1",
        f"/portfolio?on=2024-03-01&component={SUPPLY}",
        "/portfolio/changes?from=2024-03-01",
        "/events?day=2024-03-01",
    ):
        answer = api.get(f"{path}&cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
    assert api.get(f"/portfolio?on=2024-03-01&limit=1&cursor={cursor}x").status_code == 400


def log_all() -> None:
    rows = aws.dynamodb().scan(TableName="contracts")["Items"]
    for row in filter(is_decided_event, rows):
        stores().event_log.add(row, utc_now().date())


def test_events_of_all_contracts_are_listed_by_the_day_of_their_arrival(api: TestClient) -> None:
    create(api, "1")
    send(api, contract_number="1")
    send(api, contract_number="1")
    send(api, contract_number="unknown")
    log_all()
    today = items(api, "/events?limit=2")
    assert [(item["contract_number"], item["code"]) for item in today] == [
        ("unknown", "contract_not_found"),
        ("1", "stale_start"),
        ("1", "accepted"),
    ]
    assert [item["code"] for item in items(api, "/events?status=accepted")] == ["accepted"]
    assert [item["code"] for item in items(api, "/events?code=stale_start")] == ["stale_start"]
    assert items(api, f"/events?component={BATTERY}") == []
    yesterday, next_year = TODAY - timedelta(days=1), TODAY + timedelta(days=365)
    assert items(api, f"/events?day={yesterday}") == items(api, f"/events?day={next_year}") == []


def test_days_that_are_kept_no_longer_are_empty(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    create(api, "1")
    send(api, contract_number="1")
    log_all()
    assert len(items(api, "/events?limit=5")) == 1
    monkeypatch.setenv("EVENT_LOG_DAYS", "0")
    forget()
    assert items(api, "/events?limit=5") == []


def test_without_a_trail_there_is_no_log(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_EVENT_AUDIT", "false")
    forget()
    answer = api.get("/events")
    assert (answer.status_code, answer.json()["code"]) == (409, "audit_disabled")
