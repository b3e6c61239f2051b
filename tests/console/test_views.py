"""Every view, as somebody without a login uses it on a service that is open."""

import re
from urllib.parse import urlencode

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
    expect(page.page.get_by_label("Which rows to show")).to_be_focused()
    stored = opened.api.get("/contract/voided/contract_timeline").json()["components"]["energy_supply"]
    assert stored == {"start": None, "end": None}


def test_a_replay_shows_its_difference_and_repairs_the_timeline(
    opened: Service, console: OpenConsole
) -> None:
    opened.api.post("/contract", json={"contract_number": "replayed", "components": ["energy_supply"]})
    for kind, day, created in (("end", "2024-06-30", "2024-02-01"), ("start", "2024-01-01", "2024-01-01")):
        event = {"type": f"supply_energy_{kind}", "contract_number": "replayed", "date": day}
        opened.api.post("/event", json=event | {"created_at": f"{created}T00:00:00Z"})
    page = console(opened)
    page.open("/contracts/replayed")
    expect(page.card("Timeline")).to_contain_text("since 1 Jan 2024, open")
    page.page.get_by_role("button", name="Replay").click()
    dialog = page.page.get_by_role("dialog")
    expect(dialog).to_contain_text("30 Jun 2024")
    dialog.get_by_role("button", name="Store").click()
    expect(page.card("Timeline")).to_contain_text("1 Jan 2024 to 30 Jun 2024")
    stored = opened.api.get("/contract/replayed/contract_timeline").json()["components"]["energy_supply"]
    assert stored == {"start": "2024-01-01", "end": "2024-06-30"}


def test_the_sliders_show_earlier_moments_as_the_api_tells_them(
    opened: Service, console: OpenConsole
) -> None:
    opened.api.post("/contract", json={"contract_number": "slid", "components": ["energy_supply"]})
    for month in (1, 2, 3):
        event = {"type": "supply_energy_start", "contract_number": "slid", "date": f"2024-0{month}-15"}
        opened.api.post("/event", json=event | {"created_at": f"2023-0{month}-01T00:00:00Z"})
    second = opened.api.get("/contract/slid/events").json()["items"][1]
    page = console(opened)
    page.open("/contracts/slid")
    for name, label, instant in (
        ("as_of", "As the events mean it", second["created_at"]),
        ("known_at", "As we knew it", second["recorded_at"]),
    ):
        slider = page.page.get_by_label(label)
        for _ in range(2):
            slider.press("ArrowLeft")
        chosen = urlencode({name: instant})
        page.page.wait_for_url(re.compile(rf"{re.escape(chosen)}$"))
        timeline = opened.api.get(f"/contract/slid/contract_timeline?{chosen}").json()["components"]
        assert timeline["energy_supply"]["start"] == "2024-02-15"
        expect(page.card("Timeline")).to_contain_text("since 15 Feb 2024, open")
        slider.press("End")
        page.page.wait_for_url(re.compile(r"^[^?]+$"))


def test_a_mark_shows_the_rule_and_the_event_in_the_way(opened: Service, console: OpenConsole) -> None:
    opened.api.post("/contract", json={"contract_number": "marked", "components": ["energy_supply"]})
    for day, created in (("2024-01-15", "2024-01-02"), ("2024-02-15", "2024-01-01")):
        event = {"type": "supply_energy_start", "contract_number": "marked", "date": day}
        opened.api.post("/event", json=event | {"created_at": f"{created}T00:00:00Z"})
    page = console(opened)
    page.open("/contracts/marked")
    mark = page.page.locator(".mark.rejected[role=button]")
    mark.focus()
    tip = page.page.locator(".tip")
    expect(tip).to_contain_text("stale_start")
    expect(tip).to_contain_text("In the way: Energy supply starts 15 Jan 2024")
    expect(tip).to_contain_text("anonymous")
    page.page.keyboard.press("Enter")
    expect(page.page.locator("tr.chosen")).to_contain_text("stale_start")
    assert "event=" in page.page.url
    expect(mark).to_have_attribute("aria-pressed", "true")


def test_an_event_of_a_component_that_the_contract_lacks_has_a_lane_that_says_so(
    opened: Service, console: OpenConsole
) -> None:
    opened.api.post("/contract", json={"contract_number": "lacking", "components": ["energy_supply"]})
    event = {"type": "heatpump_optimization_start", "contract_number": "lacking", "date": "2024-01-15"}
    opened.api.post("/event", json=event | {"created_at": "2024-01-01T00:00:00Z"})
    page = console(opened)
    page.open("/contracts/lacking")
    lane = page.page.locator("svg g.heatpump_optimization")
    expect(lane).to_contain_text("not part of the contract")
    expect(lane).to_contain_text("component_not_configured")


def test_a_double_click_sends_one_event(opened: Service, console: OpenConsole) -> None:
    opened.api.post("/contract", json={"contract_number": "twice", "components": ["energy_supply"]})
    page = console(opened)
    page.open("/contracts/twice")
    page.page.get_by_role("button", name="Send", exact=True).dblclick()
    expect(page.card("Timeline")).to_contain_text("open")
    page.settle()
    assert len(opened.api.get("/contract/twice/events").json()["items"]) == 1
