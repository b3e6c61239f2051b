"""Markup, right-to-left text and very long words show up as text, wherever somebody's text is shown."""

import pytest
from playwright.sync_api import expect

from tests.console.conftest import PASSWORD, OpenConsole, Service
from tests.console.console import Console
from tests.console.filling import HOSTILE, LONG_NUMBER, put_hostile_dead_letters

PLACES = {
    "/contracts/hostile": HOSTILE,
    "/dead-letters": HOSTILE,
    f"/contracts/{LONG_NUMBER}": {"long id": "x" * 128, "number": LONG_NUMBER},
    "/contracts": {"number": LONG_NUMBER},
    "/events": {"number": LONG_NUMBER},
}


def check_nothing_became_markup(page: Console) -> None:
    assert page.page.locator("main img, main b, main script, main iframe").count() == 0
    assert page.page.title() != "hacked"
    assert page.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("address", PLACES)
def test_hostile_text_is_shown_as_text(
    opened: Service, console: OpenConsole, address: str, width: int
) -> None:
    if address == "/dead-letters":
        put_hostile_dead_letters(opened.stack)  # those from the start may be under way after a redrive
    page = console(opened, viewport={"width": width, "height": 900})
    page.open(address)
    if address in ("/events", "/contracts"):
        while (more := page.page.get_by_role("button", name="Show more")).count():
            more.click()
            page.settle()
    text = page.page.locator("main").evaluate("main => main.textContent")
    assert [name for name, hostile in PLACES[address].items() if hostile not in text] == []
    check_nothing_became_markup(page)


def test_an_address_with_markup_is_shown_as_text(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.expect_refusal(400)
    page.expect_refusal(404)
    page.expect_refusal(422)
    for view in ("contracts", "meters", "nowhere", "events", "dead-letters"):
        for text in HOSTILE.values():
            page.open(f"/{view}/{text.replace('%', '%25')}?component={text}&queue={text}&day={text}")
            check_nothing_became_markup(page)


def test_names_of_users_and_keys_are_shown_as_text(closed: Service, console: OpenConsole) -> None:
    user = {"username": "names", "email": "names@example.com", "password": PASSWORD, "role": "admin"}
    names = {"first_name": HOSTILE["markup"], "last_name": "\u05e9\u05dc\u05d5\u05dd" + "W" * 90}
    assert closed.api.post("/api/v1/users", json=user | names).status_code == 201
    page = console(closed)
    page.open("/users")
    page.log_in("names", PASSWORD)
    page.page.get_by_role("button", name="New API key").click()
    dialog = page.page.get_by_role("dialog", name="New API key")
    dialog.get_by_label("Name").fill(HOSTILE["markup"])
    dialog.get_by_role("button", name="Create").click()
    page.page.get_by_role("button", name="I have copied it").click()
    expect(page.card("Your API keys")).to_contain_text(HOSTILE["markup"])
    expect(page.card("Users")).to_contain_text(" ".join(names.values()))
    check_nothing_became_markup(page)
