"""The application in several processes, and callers that send events to them at once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

from domain.contracts.contract import Contract
from domain.contracts.events import Action, Component, ComponentEvent, EventType
from domain.contracts.timelines import Span
from domain.contracts.verdicts import Code
from domain.instants import format_instant, parse_date, parse_instant
from infra.contracts.event_payloads import EventPayload
from tests.engines import ROOT, free_port
from tests.proof.linearizability import Answer, AnyCall, Blocker, Call, PatchCall, VoidCall
from tests.small_cases import COMPONENT, day, instant

# A process serves one request at a time, since its routes wait for DynamoDB themselves.
PROCESSES = 4
CLIENTS = 8
EVENTS_OF_A_CLIENT = 6
# Fewer, since the orders in which voids and changes may have come are many more.
CORRECTING_CLIENTS = 4

OTHER = Component.ENERGY_SUPPLY

_START_SECONDS = 60
_ANSWER_SECONDS = 30
_MOST_SENDINGS = 20


class History(NamedTuple):
    """What callers sent to a fresh contract and were answered, and what it said of itself then."""

    contract: Contract
    calls: list[AnyCall]
    final: dict[Component, Span]
    trail: list["Row"]
    resent: int


class Row(NamedTuple):
    """A row of the trail."""

    event: ComponentEvent
    answer: Answer
    status: str


@contextmanager
def serving(
    factories: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[dict[str, list[int]]]:
    """Run the applications that `factories` make, each in some processes; give the ports of each."""
    ports = {factory: [free_port() for _ in range(PROCESSES)] for factory in factories}
    arguments = [f"{factory}={','.join(map(str, numbers))}" for factory, numbers in ports.items()]
    own = {name: value for name, value in os.environ.items() if name != "AWS_PROFILE"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.proof.serve_forked", *arguments],
            cwd=ROOT,
            env=own | dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            for port in chain(*ports.values()):
                _wait_until_it_answers(port, process, log)
            yield ports
            assert process.poll() is None, "some ended by themselves"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _ask(port, "GET", "/health")
        except ConnectionError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return


def run_history(ports: Sequence[int], seed: int, *, audited: bool, corrected: bool = False) -> History:
    """Let the clients send their events to a fresh contract, all at once.

    Where it is `corrected` they also void some of these, and change the contract's components; then no
    two events have the same `created_at`, as ties go by an arrival that callers cannot see.
    """
    number = f"{ports[0]}-{seed}{'-corrected' if corrected else ''}"
    contract = Contract.new(number, "id", instant(0), (COMPONENT,))
    _ask(ports[0], "POST", "/contract", {"contract_number": number, "components": [COMPONENT]})
    rng = random.Random(seed)
    clients = CORRECTING_CLIENTS if corrected else CLIENTS
    barrier = Barrier(clients, timeout=_ANSWER_SECONDS)
    with ThreadPoolExecutor(clients) as pool:
        sending = [
            pool.submit(
                _send_in_turn,
                ports[client % len(ports)],
                _draw_events(rng, number, client, corrected=corrected),
                barrier,
                random.Random(f"{seed} {client}") if corrected else None,
            )
            for client in range(clients)
        ]
        sent = [part.result() for part in sending]
    final = _ask(ports[0], "GET", f"/contract/{number}/contract_timeline")
    return History(
        contract,
        [call for calls, _ in sent for call in calls],
        _spans(final),
        _read_trail(ports[0], number) if audited else [],
        sum(resent for _, resent in sent),
    )


def _spans(view: Mapping[str, Any]) -> dict[Component, Span]:
    return {
        Component(name): Span(*(parse_date(text) if text else None for text in (span["start"], span["end"])))
        for name, span in view["components"].items()
    }


def _draw_events(
    rng: random.Random, number: str, client: int, *, corrected: bool = False
) -> list[EventPayload]:
    """Draw events that get in each other's way until the last.

    The instants of all clients rise together, and ends become more frequent: else the first few
    events would decide about all the others.
    """
    return [
        EventPayload(
            type=EventType.of(
                OTHER if corrected and rng.random() < 0.2 else COMPONENT,
                Action.START if rng.random() < 0.7 - 0.05 * turn else Action.END,
            ),
            contract_number=number,
            date=day(rng.randint(1, 3)),
            created_at=instant(
                CLIENTS * (2 * turn + rng.randint(1, 3)) + client
                if corrected
                else 2 * turn + rng.randint(1, 3)
            ),
            id=f"{client}-{turn}",
        )
        for turn in range(EVENTS_OF_A_CLIENT)
    ]


def _send_in_turn(
    port: int, payloads: Sequence[EventPayload], barrier: Barrier, corrects: random.Random | None
) -> tuple[list[AnyCall], int]:
    """Send events one after another; give the calls, and how many sendings had no known outcome."""
    calls: list[AnyCall] = []
    resent = 0
    with closing(HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)) as connection:
        connection.connect()
        barrier.wait()
        for payload in payloads:
            sent = time.monotonic_ns()
            for _ in range(_MOST_SENDINGS):
                status, body = _exchange(connection, "POST", "/event", payload.model_dump(mode="json"))
                if status != 503:
                    break
                resent += 1
            answered = time.monotonic_ns()
            assert status == 200, body
            calls.append(Call(payload.to_domain(fresh_key=""), sent, answered, _answer_of(body)))
            if corrects is not None and corrects.random() < 0.3:
                calls.append(_correct(connection, calls, corrects))
    return calls, resent


def _correct(connection: HTTPConnection, calls: Sequence[AnyCall], rng: random.Random) -> AnyCall:
    """Void one of the events that this client has sent, or change the components."""
    events = [call.event for call in calls if isinstance(call, Call)]
    gone = {call.event.key for call in calls if isinstance(call, VoidCall)}
    event = rng.choice(events)
    path = f"/contract/{event.contract_number}"
    sent = time.monotonic_ns()
    if event.key in gone or rng.random() < 0.3:
        names = rng.choice([(COMPONENT,), (COMPONENT, OTHER)])
        status, body = _until_known(connection, "PATCH", path, {"components": names})
        assert status == 200 or body["code"] == "component_in_use", body
        return PatchCall(names, sent, time.monotonic_ns(), status == 409)
    void = f"{path}/events/{event.key}/void?dry_run=false"
    status, body = _until_known(connection, "POST", void, {"reason": "sent in error"})
    answered = time.monotonic_ns()
    if status == 409:  # sent again after an answer that was not known
        assert body["code"] == "already_voided", body
        return VoidCall(event, sent, answered, None, None)
    assert status == 200, body
    return VoidCall(event, sent, answered, _spans(body["before"]), _spans(body["after"]))


def _until_known(connection: HTTPConnection, method: str, path: str, body: object) -> tuple[int, Any]:
    for _ in range(_MOST_SENDINGS):
        status, answer = _exchange(connection, method, path, body)
        if status != 503:
            break
    return status, answer


def _read_trail(port: int, number: str) -> list[Row]:
    page = _ask(port, "GET", f"/contract/{number}/events?limit=200")
    assert page["next_cursor"] is None
    names = EventPayload.model_fields
    return [
        Row(
            EventPayload(**{name: row[name] for name in names}).to_domain(fresh_key=""),
            _answer_of(row),
            row["status"],
        )
        for row in page["items"]
        if row["kind"] == "decided"
    ]


def _answer_of(body: Mapping[str, Any]) -> Answer:
    """Read the verdict in an answer, or in a row of the trail."""
    other = body.get("blocked_by")
    return Answer(
        Code(body["code"]),
        Blocker(EventType(other["type"]), parse_date(other["date"]), parse_instant(other["created_at"]))
        if other
        else None,
    )


def show(calls: Sequence[AnyCall]) -> str:
    """Write calls for a person: microseconds from the first sending, event, answer."""
    begin = min(call.sent for call in calls)
    return "\n".join(
        f"{(call.sent - begin) // 1000:>8} {(call.answered - begin) // 1000:>8}  {_words(call.event)}"
        f"  {call.answer.code}  {call.answer.blocked_by or ''}"
        if isinstance(call, Call)
        else str(call)
        for call in sorted(calls, key=lambda call: call.sent)
    )


def _words(event: ComponentEvent) -> str:
    return f"{event.id} {event.type.action} {event.date} {format_instant(event.created_at)}"


def _ask(port: int, method: str, path: str, body: object = None) -> Any:
    with closing(HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)) as connection:
        status, answer = _exchange(connection, method, path, body)
        assert status in {200, 201}, answer
        return answer


def _exchange(connection: HTTPConnection, method: str, path: str, body: object) -> tuple[int, Any]:
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    with connection.getresponse() as response:
        return response.status, json.loads(response.read())
