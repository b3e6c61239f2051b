"""The view of dead letters: what it shows is what the API lists, and it redrives what is chosen."""

import json
import re

from playwright.sync_api import expect

from tests.console.conftest import OpenConsole, Service
from tests.console.console import Console

TABLE = "Dead letters, the newest first"


def put(service: Service, event_id: str) -> None:
    """Put a dead letter into the queue whose event can be applied."""
    event = {"type": "supply_energy_start", "contract_number": "redriven", "date": "2024-01-01"}
    body = {
        "detail-type": "component_event",
        "id": event_id,
        "time": "2024-01-01T00:00:00Z",
        "source": "crm",
        "detail": event | {"id": event_id, "created_at": "2024-01-01T00:00:00Z"},
    }
    service.stack.client("sqs").send_message(
        QueueUrl=service.outputs["ingestion_dead_letter_queue_url"], MessageBody=json.dumps(body)
    )


def decided(service: Service) -> list[str]:
    items = service.api.get("/contract/redriven/events").json()["items"]
    return sorted(item["id"] for item in items)


def wait_for(page: Console, service: Service, ids: list[str]) -> None:
    for _ in range(300):
        if decided(service) == ids:
            return
        page.page.wait_for_timeout(200)
    assert decided(service) == ids


def test_the_page_shows_what_the_api_lists(opened: Service, console: OpenConsole) -> None:
    listed = opened.api.get("/dead-letters?limit=200").json()
    page = console(opened)
    page.open("/dead-letters")
    together = sum(listed["counts"].values())
    expect(page.card(f"{together} in all")).to_be_visible()
    rows = page.rows(TABLE)
    shown = [row[2].splitlines()[0] for row in rows]
    assert shown == [item["reason"].strip() for item in listed["items"]]
    boxes = page.page.get_by_role("checkbox").count()
    assert boxes == sum(item["redrivable"] for item in listed["items"])
    assert 0 < boxes < len(rows)


def test_a_queue_is_chosen_by_its_address(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open("/dead-letters")
    page.page.get_by_label("Queue").select_option("publisher")
    expect(page.page.get_by_role("table", name=TABLE).locator("tbody tr")).to_have_count(1)
    assert page.page.url.endswith("#/dead-letters?queue=publisher")
    expect(page.page.get_by_role("table")).to_contain_text("make announce")


def test_what_is_chosen_is_sent_again_and_applied_and_then_the_rest(
    opened: Service, console: OpenConsole
) -> None:
    opened.api.post("/contract", json={"contract_number": "redriven", "components": ["energy_supply"]})
    for event_id in ("r-1", "r-2", "r-3"):
        put(opened, event_id)
    page = console(opened)
    page.open("/dead-letters")
    assert page.page.get_by_role("button", name="Send again").is_disabled()
    for event_id in ("r-1", "r-2"):
        page.page.get_by_role("checkbox", name=f"Choose {event_id}").check()
    page.page.get_by_role("button", name="Send 2 again").click()
    expect(page.toast()).to_contain_text("2 sent again.")
    wait_for(page, opened, ["r-1", "r-2"])
    expect(page.page.get_by_role("checkbox", name="Choose r-1")).to_have_count(0)

    page.page.get_by_role("button", name=re.compile("Send all")).click()
    dialog = page.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Those of the other queues stay")
    dialog.get_by_role("button", name="Send all again").click()
    expect(page.toast()).to_contain_text("sent again.")
    wait_for(page, opened, ["r-1", "r-2", "r-3"])
    assert opened.api.get("/dead-letters").json()["counts"]["publisher"] == 1
