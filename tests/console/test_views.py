"""Every view, as somebody without a login uses it on a service that is open."""

import re

import pytest
from playwright.sync_api import expect

from tests.console.conftest import OpenConsole, Service
from tests.console.filling import CONTRACTS

VIEWS = {
    "/": "Overview",
    "/overview": "Overview",
    "/contracts": "Contracts",
    "/contracts?component=energy_supply&on=2024-06-01": "Contracts",
    "/contracts/C-001": "Contract C-001",
    "/contracts/C-001?as_of=2024-01-01T00:00:00Z": "Contract C-001",
    "/events": "Event log",
    "/events?status=rejected": "Event log",
    "/meters": "Meters",
    "/meters/123?date=2024-01-01&tz=UTC": "Meter 123",
    "/meters/sample-1?span=month&date=2024-01-01": "Meter sample-1",
    "/dead-letters": "Dead letters",
    "/dead-letters?queue=publisher": "Dead letters",
    "/users": "Users and API keys",
    "/login": "Log in",
}


@pytest.mark.parametrize("address", VIEWS)
def test_an_address_leads_to_its_view(opened: Service, console: OpenConsole, address: str) -> None:
    page = console(opened)
    page.open(address)
    expect(page.heading).to_have_text(VIEWS[address])
    assert page.page.locator("main .failure").all_inner_texts() == []


def test_an_unknown_address_says_so_and_leads_back(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open("/nowhere")
    expect(page.heading).to_have_text("There is no such page")
    page.page.get_by_role("link", name="Go to the overview").click()
    expect(page.heading).to_have_text("Overview")


def test_the_navigation_leads_through_all_views_by_keyboard(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open()
    for name in page.links():
        link = page.page.get_by_role("navigation", name="Main").get_by_role("link", name=name)
        link.focus()
        page.page.keyboard.press("Enter")
        expect(link).to_have_attribute("aria-current", "page")
        page.settle()
    assert len(page.links()) == 6


def test_a_search_leads_to_the_contract(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open("/contracts")
    page.page.get_by_label("Contract number").fill(CONTRACTS[3])
    page.page.keyboard.press("Enter")
    expect(page.heading).to_have_text(f"Contract {CONTRACTS[3]}")
    assert page.page.url.endswith(f"#/contracts/{CONTRACTS[3]}")
    page.page.go_back()
    expect(page.heading).to_have_text("Contracts")


def test_an_event_is_tried_then_sent_and_shows_up(opened: Service, console: OpenConsole) -> None:
    opened.api.post("/contract", json={"contract_number": "sent", "components": ["energy_supply"]})
    page = console(opened)
    page.open("/contracts/sent")
    form = page.card("Send an event")
    form.get_by_label("Date", exact=True).fill("2024-05-17")
    form.get_by_role("button", name="Try").click()
    expect(form.get_by_role("status")).to_contain_text("Tried, not stored")
    assert opened.api.get("/contract/sent/events").json()["items"] == []
    form.get_by_role("button", name="Send").click()
    expect(page.card("Timeline")).to_contain_text("since 17 May 2024")
    timeline = opened.api.get("/contract/sent/contract_timeline").json()["components"]
    assert timeline == {"energy_supply": {"start": "2024-05-17", "end": None}}


def test_a_void_shows_its_difference_before_it_is_stored(opened: Service, console: OpenConsole) -> None:
    opened.api.post("/contract", json={"contract_number": "voided", "components": ["energy_supply"]})
    event = {
        "type": "supply_energy_start",
        "contract_number": "voided",
        "date": "2024-05-17",
        "created_at": "2024-01-01T00:00:00Z",
    }
    opened.api.post("/event", json=event)
    page = console(opened)
    page.open("/contracts/voided")
    page.page.get_by_role("button", name=re.compile("^Void")).click()
    page.page.get_by_label("Reason").fill("Sent for the wrong customer")
    page.page.get_by_role("button", name="Show the difference").click()
    dialog = page.page.get_by_role("dialog")
    expect(dialog).to_contain_text("This would change the timeline")
    dry = opened.api.get("/contract/voided/contract_timeline").json()["components"]["energy_supply"]
    assert dry["start"] == "2024-05-17", "nothing is stored yet"
    dialog.get_by_role("button", name="Store").click()
    expect(page.card("Timeline")).to_contain_text("no start is known")
    stored = opened.api.get("/contract/voided/contract_timeline").json()["components"]["energy_supply"]
    assert stored == {"start": None, "end": None}
