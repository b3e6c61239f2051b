"""The lanes of a contract: what its marks tell, and what the two sliders show."""

from typing import Any

from playwright.sync_api import expect

from tests.console.conftest import OpenConsole, Service

BATTERY = "battery_optimization"


def event(number: str, kind: str, day: str, created_at: str) -> dict[str, Any]:
    return {
        "type": f"{BATTERY}_{kind}",
        "contract_number": number,
        "date": day,
        "created_at": created_at,
    }


def disordered(service: Service, number: str) -> list[dict[str, Any]]:
    """Send an end before its start, so that it is refused, and a replay would find it right; return the rows."""
    service.api.post("/contract", json={"contract_number": number, "components": [BATTERY]})
    for one in (
        event(number, "end", "2024-09-30", "2024-02-01T00:00:00Z"),
        event(number, "start", "2024-03-01", "2024-01-01T00:00:00Z"),
        event(number, "start", "2024-02-01", "2024-01-01T00:00:00Z"),
    ):
        assert service.api.post("/event", json=one).status_code == 200
    items: list[dict[str, Any]] = service.api.get(f"/contract/{number}/events").json()["items"]
    assert [row["code"] for row in items] == ["end_without_start", "accepted", "stale_start"]
    return items


def test_arrow_keys_move_among_the_marks_and_enter_leads_to_the_row(
    opened: Service, console: OpenConsole
) -> None:
    rows = disordered(opened, "keys")
    page = console(opened)
    page.open("/contracts/keys")
    page.page.locator(".mark[tabindex='0']").focus()
    expect(page.page.get_by_role("tooltip")).to_contain_text("1 Feb 2024")

    page.page.keyboard.press("End")
    expect(page.page.get_by_role("tooltip")).to_contain_text("Battery optimization ends 30 Sept 2024")
    page.page.keyboard.press("Escape")
    expect(page.page.get_by_role("tooltip")).to_have_count(0)
    page.page.keyboard.press("Enter")

    expect(page.page.locator("tr.chosen")).to_contain_text("end_without_start")
    assert f"event={rows[0]['key']}" in page.page.url


def test_as_we_knew_it_shows_what_the_service_answered_then(opened: Service, console: OpenConsole) -> None:
    rows = disordered(opened, "known")
    page = console(opened)
    page.open("/contracts/known")
    slider = page.page.get_by_label("As we knew it")
    for _ in rows:
        slider.press("ArrowLeft")

    expect(page.card("Timeline").get_by_role("table")).to_contain_text("no start is known")
    assert f"known_at={rows[0]['recorded_at'].replace(':', '%3A')}" in page.page.url
    expect(page.page.locator(".mark[role=button]")).to_have_count(1)
    # The address alone shows the same.
    again = console(opened)
    again.page.goto(page.page.url)
    again.settle()
    expect(again.page.locator(".mark[role=button]")).to_have_count(1)
    slider.press("End")
    expect(page.page.locator(".mark[role=button]")).to_have_count(3)
    assert "known_at" not in page.page.url


def test_as_the_events_mean_it_shows_the_fold_of_the_trail(opened: Service, console: OpenConsole) -> None:
    disordered(opened, "meant")
    page = console(opened)
    page.open("/contracts/meant?as_of=2024-02-01T00:00:00Z")

    meant = opened.api.get("/contract/meant/contract_timeline?as_of=2024-02-01T00:00:00Z").json()
    assert meant["components"][BATTERY]["end"] == "2024-09-30"
    (row,) = page.rows("At this moment and In force now")
    assert row == [
        "Battery optimization",
        "1 Mar 2024 to 30 Sept 2024",
        "since 1 Mar 2024, open",
        "differs",
    ]


def test_nothing_moves_once_a_contract_is_shown(opened: Service, console: OpenConsole) -> None:
    disordered(opened, "steady")
    page = console(opened)
    page.page.add_init_script(
        """new PerformanceObserver(list => (window.moved ??= []).push(...list.getEntries().map(one => one.value)))
            .observe({ type: "layout-shift", buffered: true })"""
    )
    page.open("/contracts/steady")
    page.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
    assert page.page.evaluate("window.moved ?? []") == []
