"""What the page shows is what the API says."""

from datetime import UTC, date, datetime

import pytest
from playwright.sync_api import expect

from tests.console.conftest import OpenConsole, Service
from tests.console.console import plain
from tests.console.filling import CONTRACTS

NAMES = {
    "energy_supply": "Energy supply",
    "battery_optimization": "Battery optimization",
    "heatpump_optimization": "Heat pump optimization",
}
MOMENT = "2023-12-01T00:00:00Z"


def shown_date(text: str) -> str:
    day = date.fromisoformat(text)
    # Intl writes September with four letters in British English.
    month = "Sept" if day.month == 9 else f"{day:%b}"
    return f"{day.day} {month} {day.year}"


def sentence(span: dict[str, str | None]) -> str:
    start, end = span["start"], span["end"]
    if start is None:
        return "no start is known"
    if end is None:
        word = "from" if start > datetime.now(UTC).date().isoformat() else "since"
        return f"{word} {shown_date(start)}, open"
    return f"{shown_date(start)} to {shown_date(end)}"


@pytest.mark.parametrize(("query", "numbers"), [("", CONTRACTS), (f"?as_of={MOMENT}", CONTRACTS[::3])])
def test_contracts_show_their_timelines_and_events(
    opened: Service, console: OpenConsole, query: str, numbers: list[str]
) -> None:
    page = console(opened)
    for number in numbers:
        timeline = opened.api.get(f"/contract/{number}/contract_timeline{query}").json()["components"]
        events = opened.api.get(f"/contract/{number}/events?limit=200").json()["items"]
        page.open(f"/contracts/{number}{query}")
        expected = "; ".join(f"{NAMES[name]}: {sentence(span)}" for name, span in timeline.items())
        shown = plain(page.card("Timeline").locator("[role=status].unseen").inner_text())
        assert shown == expected, number
        marks = page.page.locator(".mark[role=button]")
        assert marks.count() == len(events), number
        rows = page.rows("Events and corrections, the newest first") if events else []
        verdicts = [row[2].splitlines()[0] for row in rows]
        codes = ["accepted" if row["status"] == "accepted" else row["code"] for row in reversed(events)]
        assert verdicts == codes, number
        refused = page.page.locator(".mark.rejected[role=button]").count()
        assert refused == len([code for code in codes if code != "accepted"]), number


def test_the_list_of_contracts_has_all_of_them_page_by_page(opened: Service, console: OpenConsole) -> None:
    listed, cursor = [], None
    while True:
        page_of_api = opened.api.get(
            "/contract", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
        )
        listed += [item["contract_number"] for item in page_of_api.json()["items"]]
        cursor = page_of_api.json()["next_cursor"]
        if cursor is None:
            break
    page = console(opened)
    page.open("/contracts")
    more = page.page.get_by_role("button", name="Show more")
    while more.count():
        more.click()
        page.settle()
    assert [row[0] for row in page.rows("Contracts by number")] == listed
    assert len(listed) > 50


def test_the_overview_counts_what_the_api_counts(opened: Service, console: OpenConsole) -> None:
    counts = opened.api.get("/portfolio/counts").json()["components"]
    page = console(opened)
    page.open("/overview")
    for name, count in counts.items():
        tile = page.page.locator(f"a.tile.{name}")
        expect(tile).to_contain_text(f"{count['active']} active today")
        expect(tile).to_contain_text(f"{count['upcoming']} to come, {count['ended']} ended")


def test_the_event_log_shows_the_events_of_the_day(opened: Service, console: OpenConsole) -> None:
    items = opened.api.get("/events?status=rejected&limit=50").json()["items"]
    page = console(opened)
    page.open("/events?status=rejected")
    rows = page.rows("Decided events, the newest first")
    assert [row[1] for row in rows[:10]] == [item["contract_number"] for item in items[:10]]
    assert [row[3].splitlines()[0] for row in rows[:10]] == [item["code"] for item in items[:10]]
    page.page.get_by_role("table").get_by_role("link").first.click()
    expect(page.heading).to_have_text(f"Contract {items[0]['contract_number']}")
    assert "known_at=" in page.page.url


def test_a_meter_shows_how_complete_it_is(opened: Service, console: OpenConsole) -> None:
    found = opened.api.get("/api/meters/sample-1/completeness?from=2024-01-01&to=2024-01-02&tz=UTC")
    page = console(opened)
    page.open("/meters/sample-1?date=2024-01-01&tz=UTC")
    if found.status_code == 200:
        shown = found.json()
        expect(page.card("Completeness")).to_contain_text(f"{shown['missing']:,} missing")
    else:
        expect(page.card("Completeness")).to_contain_text("is not known")
    expect(page.card("Readings")).to_contain_text("kWh in sum")
