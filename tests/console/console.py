"""The console in a page of Chromium, as a person uses it; what goes wrong in the page is noted."""

import os
import re
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect

SETTLED = "() => !document.querySelector('main .loading, main[aria-busy], main [aria-busy]') && main.childElementCount > 0"
WAIT_MS = 30_000
SLOWDOWN = int(os.environ.get("SLOWDOWN", "1"))
"""How many times slower Chromium runs the scripts of the page, to find tests that depend on the machine."""

_GO = """address => new Promise(done => {
    if (new URL(`#${address}`, location).hash === location.hash) return done();
    addEventListener("hashchange", () => done(), { once: true });
    location.hash = address;
})"""

expect.set_options(timeout=WAIT_MS)


def plain(text: str) -> str:
    """Return the text with ordinary spaces where lines may not break."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


class Console:
    """One page; `problems` are errors of its scripts and requests that left the service."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        self.expected: list[str] = []
        page.set_default_timeout(WAIT_MS)
        if SLOWDOWN > 1:
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("request", self._note_request)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text} ({message.location.get('url')})")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "blob:", "data:")):
            self.problems.append(f"left the origin: {request.url}")

    def expect_refusal(self, status: int) -> None:
        """Expect that the service refuses something with `status`, which Chromium notes as an error."""
        self.expected.append(f"the server responded with a status of {status} ")

    @property
    def unexpected(self) -> list[str]:
        """The problems that no test expects."""
        return [one for one in self.problems if not any(text in one for text in self.expected)]

    def open(self, address: str = "/") -> None:
        """Open an address, and wait until all of its view is there; the page itself is loaded once."""
        if self.page.url.startswith(f"{self.url}/ui"):
            self.page.evaluate(_GO, address)
        else:
            self.page.goto(f"{self.url}/ui#{address}")
        self.settle()

    def go(self, address: str, heading: str | re.Pattern[str]) -> None:
        """Go to an address without loading the page again, so that a session stays."""
        self.page.evaluate(_GO, address)
        expect(self.heading).to_have_text(heading)
        self.settle()

    def settle(self) -> None:
        """Wait until the view has loaded."""
        self.page.wait_for_function(SETTLED)

    def log_in(self, username: str, password: str) -> None:
        """Fill in the login that the page shows."""
        self.page.get_by_label("Username or email address").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("button", name="Log out")).to_be_visible()
        self.settle()

    @property
    def heading(self) -> Locator:
        """The heading of the view."""
        return self.page.locator("main h1")

    def card(self, title: str | re.Pattern[str]) -> Locator:
        """A part of the view by its heading."""
        return self.page.get_by_role("region", name=title, exact=True)

    def links(self) -> list[str]:
        """The names in the navigation."""
        return self.page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()

    def rows(self, table: str) -> list[list[str]]:
        """The texts of a table's cells by its caption."""
        read = "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        shown: Any = self.page.get_by_role("table", name=table).evaluate(read)
        return [[plain(str(cell)) for cell in row] for row in shown]

    def toast(self) -> Locator:
        """The sentences in the corner."""
        return self.page.locator(".toasts")
