"""axe-core finds nothing in any view, in both colour schemes, at the width of a desk and of a phone."""

from functools import cache
from typing import Any, Literal

import pytest
from playwright.sync_api import expect

from tests.console.conftest import PASSWORD, PICTURES, OpenConsole, Service
from tests.console.console import Console
from tests.console.test_views import VIEWS
from tests.engines import npm_package

SIZES = {1280: 900, 390: 844}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .map(found => ({ rule: found.id, nodes: found.nodes.map(node => node.html.slice(0, 200) + " " + node.failureSummary) }))"""


@cache
def axe() -> str:
    """Return the script; it is evaluated by the browser itself, as the page's policy lets nobody else's script in."""
    return (npm_package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Console) -> Any:
    if not page.page.evaluate("Boolean(window.axe)"):
        page.page.evaluate(axe())
    return page.page.evaluate(_RUN)


def take_picture(page: Console, name: str) -> None:
    """Keep a picture of the page for whoever wants to look at it."""
    PICTURES.mkdir(exist_ok=True)
    file = "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
    page.page.screenshot(path=PICTURES / f"{file}.png", full_page=True)


def overflow(page: Console) -> int:
    """Return how many pixels the page is wider than the window."""
    width: int = page.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return width


@pytest.mark.parametrize("width", SIZES)
def test_every_view_is_accessible_fits_and_has_its_picture_taken(
    closed: Service, console: OpenConsole, width: int
) -> None:
    page = console(closed, viewport={"width": width, "height": SIZES[width]})
    page.open("/contracts")
    page.log_in("auditor", PASSWORD)
    found, wide = {}, {}
    for address in [*(address for address in VIEWS if address != "/"), "/contracts/hostile"]:
        page.open(address)
        expect(page.heading).to_have_text(VIEWS.get(address, "Contract hostile"))
        for scheme in SCHEMES:
            page.page.emulate_media(color_scheme=scheme)
            take_picture(page, f"{address}-{width}-{scheme}")
            found[address, scheme] = violations(page)
        wide[address] = overflow(page)
    assert {view: one for view, one in found.items() if one} == {}
    assert {address: one for address, one in wide.items() if one > 0} == {}


@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_login_and_the_users_are_accessible(
    closed: Service, console: OpenConsole, scheme: str, width: int
) -> None:
    page = console(closed, viewport={"width": width, "height": SIZES[width]}, color_scheme=scheme)
    page.open("/users")
    take_picture(page, f"logged-out-{width}-{scheme}")
    assert violations(page) == []
    page.log_in("admin", PASSWORD)
    page.page.get_by_role("button", name="New API key").click()
    page.page.get_by_role("dialog").get_by_label("Name").fill(f"gateway {width} {scheme}")
    page.page.get_by_role("button", name="Create").click()
    shown = page.page.get_by_role("dialog", name="Your new API key")
    expect(shown).to_be_visible()
    assert violations(page) == []
    shown.get_by_role("button", name="I have copied it").click()
    expect(page.card("Your API keys")).to_contain_text(f"gateway {width} {scheme}")
    page.settle()
    take_picture(page, f"logged-in-users-{width}-{scheme}")
    assert violations(page) == []
    assert overflow(page) <= 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_dialogs_are_accessible_and_give_the_focus_back(
    opened: Service, console: OpenConsole, scheme: str
) -> None:
    page = console(opened, color_scheme=scheme)
    page.open("/users")
    assert violations(page) == []
    page.page.get_by_role("button", name="New user").click()
    assert violations(page) == []
    page.page.keyboard.press("Escape")
    expect(page.page.get_by_role("button", name="New user")).to_be_focused()
    page.open("/contracts/hostile")
    page.page.get_by_role("button", name="Replay").click()
    expect(page.page.get_by_role("dialog")).to_contain_text("events, in the order of their creation")
    assert violations(page) == []


def test_what_has_the_focus_can_be_seen(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open("/contracts/C-001")
    seen = set()
    for _ in range(25):
        page.page.keyboard.press("Tab")
        seen.add(
            page.page.evaluate(
                """() => {
                    const style = getComputedStyle(document.activeElement);
                    const halo = document.activeElement.querySelector?.(".halo");
                    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                    // The parts of a date have a focus of their own, which only the browser itself can see.
                    const part = document.activeElement.matches("input[type^=date]");
                    return part || outlined || (halo && getComputedStyle(halo).stroke !== "none")
                        ? "" : document.activeElement.outerHTML.slice(0, 120);
                }"""
            )
        )
    assert seen == {""}
