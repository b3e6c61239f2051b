"""The API process is killed in the middle of many events: nothing is lost, and nothing is applied twice.

`PROOF=full` sends 1,000 events; without it, 250.
"""

import os
import random
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Component, EventType
from domain.contracts.folds import fold
from domain.contracts.trails import Entry, Reception, Source
from domain.contracts.verdicts import ACCEPTED
from domain.instants import format_instant
from infra.contracts.event_payloads import EventPayload
from tests.e2e.conftest import LocalRun, shown
from tests.proof_level import cases

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the process to kill in /proc")

CONTRACTS = cases(3, 20)
EVENTS_EACH, AT_ONCE, WRITERS = 50, 10, 4
EVENTS = CONTRACTS * EVENTS_EACH
KILL_AFTER = range(EVENTS * 3 // 10, EVENTS * 9 // 10, EVENTS // 10)
PATIENCE_SECONDS = 180

Event = dict[str, Any]


def events_of(number: str) -> list[Event]:
    """Return events in the order of `created_at`; by their dates, about every third will be refused."""
    rng, noon = random.Random(number), datetime(2024, 1, 1, 12, tzinfo=UTC)
    return [
        {
            "type": rng.choice(list(EventType)),
            "contract_number": number,
            "date": str(date(2024, 1, 1) + timedelta(days=rng.randrange(60))),
            "created_at": format_instant(noon + timedelta(minutes=index)),
            "id": f"{number}-{index}",
        }
        for index in range(EVENTS_EACH)
    ]


class Publisher:
    """Sends events, and sends those without an answer again under the same ids."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answered = 0
        self.repeated = 0
        self.seconds_each = 0.0
        self.lock = threading.Lock()
        self.deadline = time.monotonic() + PATIENCE_SECONDS

    def deliver(self, events: list[Event]) -> list[dict[str, Any]]:
        """Send the events of one contract, each ten when those before are answered."""
        answers: list[dict[str, Any]] = []
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=10) as client:
            while len(answers) < len(events):
                answers += self._send(client, events[len(answers) : len(answers) + AT_ONCE])
        return answers

    def _send(self, client: httpx2.Client, events: list[Event]) -> list[dict[str, Any]]:
        while True:
            assert time.monotonic() < self.deadline, "the service did not come back"
            try:
                answer = client.post("/events", json={"events": events})
            except httpx2.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code == 200:
                results: list[dict[str, Any]] = answer.json()["results"]
                with self.lock:
                    self.answered += len(results)
                    self.repeated += sum(result.get("repeated", False) for result in results)
                    self.seconds_each = float(answer.headers["x-process-time"])
                return results
            assert answer.status_code == 503, answer.text

    def await_answers(self, number: int) -> None:
        while self.answered < number:
            assert time.monotonic() < self.deadline, "the service did not come back"
            time.sleep(0.005)


def test_killing_the_api_loses_no_event_and_applies_none_twice(local_run: LocalRun) -> None:
    url = local_run.start()["api_url"]
    local_run.drain_output()
    numbers = [f"4{index:03}" for index in range(CONTRACTS)]
    for number in numbers:
        body = {"contract_number": number, "components": list(Component)}
        assert httpx2.post(f"{url}/contract", json=body, timeout=20, trust_env=False).status_code == 201
    sent = {number: events_of(number) for number in numbers}
    publisher = Publisher(url)
    with ThreadPoolExecutor(WRITERS) as pool:
        answers = pool.map(publisher.deliver, sent.values())
        for count in KILL_AFTER:
            publisher.await_answers(count)
            if publisher.repeated:
                break  # a kill fell between a write and its answer, which is what this is about
            time.sleep(publisher.seconds_each / 2)
            _kill_the_api(local_run, publisher.deadline)
        verdicts = dict(zip(numbers, answers, strict=True))
    assert publisher.repeated, "nothing was under way when the process was killed"

    with httpx2.Client(base_url=url, trust_env=False, timeout=20) as client:
        for number in numbers:
            rows = client.get(f"/contract/{number}/events", params={"limit": 200}).json()["items"]
            assert [row["id"] for row in rows] == [event["id"] for event in sent[number]]
            assert [row["code"] for row in rows] == [verdict["code"] for verdict in verdicts[number]]
            components = client.get(f"/contract/{number}/contract_timeline").json()["components"]
            assert components == _folded(number, sent[number])
            replay = client.post(f"/contract/{number}/replay", params={"dry_run": True}).json()
            assert (replay["changed"], replay["events"]) == (False, EVENTS_EACH)
    assert {verdict["code"] for many in verdicts.values() for verdict in many} >= {
        "accepted",
        "end_without_start",
    }


def _kill_the_api(local_run: LocalRun, deadline: float) -> None:
    """Kill its process; a kill before may have left none yet."""
    while not (found := [pid for pid, command in local_run.children().items() if "uvicorn" in command]):
        assert time.monotonic() < deadline, "the service did not come back"
        time.sleep(0.05)
    (api,) = found
    os.kill(api, signal.SIGKILL)


def _folded(number: str, events: list[Event]) -> Any:
    """Return the timeline that the rules make of `events`, without asking the service."""
    reception = Reception(datetime.now(UTC), Source.API, "")
    decided = [EventPayload.model_validate(event).to_domain(fresh_key="") for event in events]
    contract = Contract.new(number, "", datetime.now(UTC), tuple(Component))
    folded = fold(contract, [Entry(event, ACCEPTED, "", reception) for event in decided])
    return shown(folded)
