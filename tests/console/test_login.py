"""Logins: where they lead, what each role is offered, and what happens when a session ends."""

import re
import time

import httpx2
import pytest
from playwright.sync_api import Request, Route, expect

from tests.console.conftest import PASSWORD, PEOPLE, OpenConsole, Service
from tests.console.console import Console

ALL_VIEWS = ["Overview", "Contracts", "Event log", "Meters", "Dead letters", "Users"]
LOGIN, REFRESH = "**/api/v1/auth/login", "**/api/v1/auth/refresh"


def expire(route: Route) -> None:
    """Let the service answer, but say that its tokens expire at once."""
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json() | {"expires_in": 0})


@pytest.mark.parametrize("role", PEOPLE)
def test_a_login_leads_to_the_address_that_was_asked_for(
    closed: Service, console: OpenConsole, role: str
) -> None:
    page = console(closed)
    page.open("/contracts/C-001?as_of=2024-01-01T00:00:00Z")
    expect(page.heading).to_have_text("Log in")
    assert page.links() == []
    page.log_in(role, PASSWORD)
    expect(page.heading).to_have_text("Contract C-001")
    assert page.page.url.endswith("#/contracts/C-001?as_of=2024-01-01T00:00:00Z")


def test_a_wrong_password_is_refused_and_the_next_attempt_works(
    closed: Service, console: OpenConsole
) -> None:
    page = console(closed)
    page.expect_refusal(401)
    page.open("/overview")
    page.page.get_by_label("Username or email address").fill("viewer")
    page.page.get_by_label("Password").fill("wrong")
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("alert")).to_contain_text("no active user with this name and password")
    expect(page.page.get_by_label("Password")).to_be_focused()
    page.log_in("viewer", PASSWORD)
    expect(page.heading).to_have_text("Overview")


@pytest.mark.parametrize("role", PEOPLE)
def test_what_a_role_may_not_do_is_not_offered(closed: Service, console: OpenConsole, role: str) -> None:
    may = PEOPLE.index(role)
    page = console(closed)
    page.open("/contracts/hostile")
    page.log_in(role, PASSWORD)
    assert page.links() == [name for name in ALL_VIEWS if name != "Dead letters" or role == "admin"]
    offered = {
        name: page.page.get_by_role("button", name=re.compile(name)).count() > 0
        for name in ("^Try$", "^Send$", "^Replay", "^Void")
    }
    assert offered == {"^Try$": may > 0, "^Send$": may > 0, "^Replay": may > 1, "^Void": may > 1}
    page.go("/meters/sample-1", "Meter sample-1")
    assert (page.card("Upload readings").count() > 0) is (may > 0)
    assert (page.page.get_by_role("button", name="Export as CSV").count() > 0) is (may > 0)
    page.go("/users", re.compile("API keys"))
    assert (page.card("Users").count() > 0) is (role == "admin")
    page.go("/dead-letters", "Dead letters")
    text = page.page.locator("main").inner_text()
    assert ("Only the role admin may see this." in text) is (role != "admin")


def test_nothing_of_a_session_is_stored_so_a_page_that_is_loaded_again_asks_for_a_login(
    closed: Service, console: OpenConsole
) -> None:
    page = console(closed)
    page.open("/events?status=rejected")
    page.log_in("viewer", PASSWORD)
    stored = "() => [localStorage.length, sessionStorage.length, document.cookie, navigator.credentials && 0]"
    assert page.page.evaluate(stored)[:3] == [0, 0, ""]
    page.page.reload()
    expect(page.heading).to_have_text("Log in")
    page.log_in("viewer", PASSWORD)
    expect(page.heading).to_have_text("Event log")
    expect(page.page.get_by_label("Verdict")).to_have_value("rejected")


def test_a_token_that_is_about_to_expire_is_renewed_once_for_all_requests(
    closed: Service, console: OpenConsole
) -> None:
    page = console(closed)
    page.page.route(LOGIN, expire)
    refreshes = noted(page, "/auth/refresh")
    page.open("/overview")
    page.log_in("admin", PASSWORD)
    expect(page.heading).to_have_text("Overview")
    assert len(refreshes) == 1
    assert page.page.locator("main .failure").count() == 0


def noted(page: Console, path: str) -> list[Request]:
    """Return a list in which all later requests for a path are noted."""
    seen: list[Request] = []
    page.page.on("request", lambda request: seen.append(request) if path in request.url else None)
    return seen


def test_requests_that_are_refused_at_the_same_time_renew_the_session_once(
    closed: Service, console: OpenConsole
) -> None:
    page = console(closed)
    page.expect_refusal(401)
    page.open("/contracts")
    page.log_in("admin", PASSWORD)
    stale: list[str] = []

    def refuse_the_first_token(route: Route) -> None:
        sent = route.request.headers.get("authorization", "")
        if not stale:
            stale.append(sent)
        if sent == stale[0]:
            route.fulfill(
                status=401, json={"code": "unauthorized", "message": "Valid credentials are required."}
            )
        else:
            route.continue_()

    refreshes = noted(page, "/auth/refresh")
    page.page.route("**/portfolio/counts*", refuse_the_first_token)
    page.go("/overview", "Overview")
    assert len(refreshes) == 1
    assert page.page.locator("main .failure").count() == 0
    assert page.page.get_by_role("button", name="Log out").count() == 1


def test_an_expired_session_leads_to_the_login_and_back_to_where_one_was(
    closed: Service, console: OpenConsole
) -> None:
    user = {"username": "brief", "email": "brief@example.com", "password": PASSWORD, "role": "viewer"}
    made = closed.api.post("/api/v1/users", json=user).json()
    page = console(closed)
    page.expect_refusal(401)
    page.open("/contracts")
    page.log_in("brief", PASSWORD)
    closed.api.put(f"/api/v1/users/{made['id']}", json={"is_active": False})
    closed.api.put(f"/api/v1/users/{made['id']}", json={"is_active": True})
    page.go("/contracts/C-002?as_of=2024-01-01T00:00:00Z", "Log in")
    page.log_in("brief", PASSWORD)
    expect(page.heading).to_have_text("Contract C-002")
    assert "as_of=2024-01-01T00:00:00Z" in page.page.url


def test_a_logout_ends_the_session_for_good(closed: Service, console: OpenConsole) -> None:
    page = console(closed)
    page.open("/meters")
    with page.page.expect_request("**/api/v1/users/me") as asked:
        page.log_in("operator", PASSWORD)
    proof = {"Authorization": asked.value.headers["authorization"]}
    assert closed.api.get("/contract", headers=proof).status_code == 200
    page.page.get_by_role("button", name="Log out").click()
    expect(page.heading).to_have_text("Log in")
    deadline = time.monotonic() + 10
    while closed.api.get("/contract", headers=proof).status_code != 401:
        assert time.monotonic() < deadline


def test_an_admin_creates_a_user_changes_the_role_and_deactivates(
    closed: Service, console: OpenConsole
) -> None:
    page = console(closed)
    page.open("/users")
    page.log_in("admin", PASSWORD)
    page.page.get_by_role("button", name="New user").click()
    dialog = page.page.get_by_role("dialog", name="New user")
    dialog.get_by_label("Username").fill("ada")
    dialog.get_by_label("Email address").fill("ada@example.com")
    dialog.get_by_label("First password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create").click()
    role = page.page.get_by_label("Role of ada")
    expect(role).to_have_value("viewer")
    role.select_option("operator")
    expect(page.toast()).to_contain_text("ada is operator now.")
    expect(page.page.get_by_label("Role of ada")).to_be_focused()
    page.page.get_by_role("button", name="Deactivate ada").click()
    expect(page.page.get_by_role("button", name="Activate ada", exact=True)).to_be_visible()
    users = closed.api.get("/api/v1/users?limit=200").json()["items"]
    (ada,) = [user for user in users if user["username"] == "ada"]
    assert (ada["role"], ada["is_active"]) == ("operator", False)
    assert page.page.get_by_label("Role of admin").count() == 0, "nobody demotes themselves"


def test_an_api_key_is_shown_once_works_and_ends_when_it_is_deleted(
    closed: Service, console: OpenConsole
) -> None:
    page = console(closed)
    page.open("/users")
    page.log_in("operator", PASSWORD)
    page.page.get_by_role("button", name="New API key").click()
    dialog = page.page.get_by_role("dialog", name="New API key")
    assert dialog.get_by_label("Role").locator("option").all_inner_texts() == ["viewer", "operator"]
    dialog.get_by_label("Name").fill("<b>gateway</b>")
    dialog.get_by_role("button", name="Create").click()
    shown = page.page.get_by_role("dialog", name="Your new API key")
    key = shown.get_by_label("Key").input_value()
    shown.get_by_role("button", name="I have copied it").click()
    assert _status_with(closed, key) == 200
    assert key not in page.page.content()
    page.page.get_by_role("button", name="Delete the key <b>gateway</b>").click()
    page.page.get_by_role("dialog").get_by_role("button", name="Delete the key").click()
    expect(page.card("Your API keys")).to_contain_text("You have no API key.")
    expect(page.page.get_by_role("button", name="New API key")).to_be_focused()
    assert _status_with(closed, key) == 401


def _status_with(service: Service, key: str) -> int:
    return httpx2.get(f"{service.url}/contract", headers={"X-API-Key": key}).status_code
