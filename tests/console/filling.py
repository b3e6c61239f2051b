"""What the tests of the console look at: contracts, events, meters, exports and dead letters, some of them hostile."""

import json
import random
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2

from domain.contracts.events import Component
from infra.local.stack import Stack

CONTRACTS = [f"C-{number:03}" for number in range(50)]
LONG_NUMBER = "N" * 64
HOSTILE = {
    "markup": "<img src=x onerror=document.title='hacked'>",
    "rtl": "\u202egnirts desrever\u202c \u05e9\u05dc\u05d5\u05dd",
    "long": "W" * 128,
}
"""Texts that must show up as text."""

_TYPES = [
    f"{name}_{action}"
    for name in ("supply_energy", "battery_optimization", "heatpump_optimization")
    for action in ("start", "end")
]


def fill(api: httpx2.Client, stack: Stack) -> None:
    """Store the contracts, events and readings, and put messages into the dead letter queues."""
    chance = random.Random(18)
    numbers = [*CONTRACTS, LONG_NUMBER, "hostile"]
    contracts = [
        {
            "contract_number": number,
            "components": chance.sample(list(Component), chance.randint(1, 3))
            if number in CONTRACTS
            else list(Component),
            "created_at": "2023-01-01T00:00:00Z",
        }
        for number in numbers
    ]
    done = api.post("/contracts", json={"contracts": contracts}).json()["results"]
    assert {one["status"] for one in done} == {"created"}, done
    events = [_random_event(chance, number) for number in CONTRACTS for _ in range(chance.randint(0, 6))]
    events += [
        _event("hostile", id=text, created_at=f"2024-01-0{day}T00:00:00Z")
        for day, text in enumerate(HOSTILE.values(), 1)
    ]
    events += [_event(LONG_NUMBER, id="x" * 128)]
    assert api.post("/events", json={"events": events}).status_code == 200
    (row,) = [
        row
        for row in api.get("/contract/hostile/events").json()["items"]
        if row.get("id") == HOSTILE["markup"]
    ]
    voided = api.post(
        f"/contract/hostile/events/{row['key']}/void?dry_run=false",
        json={"reason": " ".join(HOSTILE.values())},
    )
    assert voided.status_code == 200, voided.text
    _dead_letters(stack)
    _export(api)
    _wait_for_portfolio(api)


def _event(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "supply_energy_start",
        "contract_number": number,
        "date": "2024-01-01",
        "created_at": "2024-01-01T00:00:00Z",
    } | fields


def _random_event(chance: random.Random, number: str) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    day = today + timedelta(days=chance.randint(-700, 200))
    created = datetime.combine(date(2023, 6, 1), datetime.min.time(), UTC) + timedelta(
        minutes=chance.randint(0, 400_000)
    )
    return _event(number, type=chance.choice(_TYPES), date=day.isoformat(), created_at=created.isoformat())


def _put(stack: Stack, queue: str, body: Any) -> None:
    stack.client("sqs").send_message(
        QueueUrl=stack.outputs[f"{queue}_dead_letter_queue_url"], MessageBody=json.dumps(body)
    )


_ENVELOPE = {"detail-type": "component_event", "id": "e-1", "source": "crm", "time": "2024-01-01T00:00:00Z"}


def put_hostile_dead_letters(stack: Stack) -> None:
    """Put a message with each hostile text into the dead letter queue of the ingestion."""
    for text in HOSTILE.values():
        detail = {"type": text, "contract_number": text, "id": text, text: text}
        _put(stack, "ingestion", {**_ENVELOPE, "detail": detail})


def _dead_letters(stack: Stack) -> None:
    put_hostile_dead_letters(stack)
    event = _event("C-000", id="redriven", date="2031-05-05", created_at="2020-01-01T00:00:00Z")
    _put(stack, "ingestion", {**_ENVELOPE, "detail": event})
    _put(
        stack,
        "publisher",
        {
            "requestContext": {"condition": "RetryAttemptsExhausted"},
            "DDBStreamBatchInfo": {"batchSize": 2, "startSequenceNumber": "4421"},
        },
    )


def _export(api: httpx2.Client) -> None:
    body = {
        "smart_meter_id": "123",
        "start_datetime": "2024-01-01T00:00:00Z",
        "end_datetime": "2024-01-01T01:00:00Z",
        "format": "csv",
    }
    job = api.post("/api/export/csv", json=body).json()["job_id"]
    deadline = time.monotonic() + 60
    while api.get(f"/api/export/status/{job}").json()["status"] == "pending":
        assert time.monotonic() < deadline, "the export is not made"
        time.sleep(0.2)


def _wait_for_portfolio(api: httpx2.Client) -> None:
    """Wait until the log of events has all that was sent; the portfolio follows the same stream."""
    deadline, seen = time.monotonic() + 60, -1
    while True:
        assert time.monotonic() < deadline, "the portfolio does not follow"
        shown = sum(
            counts[kind]
            for counts in api.get("/portfolio/counts").json()["components"].values()
            for kind in counts
        )
        if shown == seen and shown > 0:
            return
        seen = shown
        time.sleep(1)
