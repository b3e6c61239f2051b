"""The ingestion function: which messages count, which are delivered again, which are rejected."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from domain.actors import Actor, ActorKind
from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.trails import Source
from domain.contracts.verdicts import Code
from domain.instants import parse_instant
from functions.ingestion import handler as ingestion
from infra import aws
from infra.contracts.event_payloads import utc_now
from infra.ingestion_queue import delay_seconds
from tests.faults import agree_at_once
from tests.functions.ingestion.conftest import MAX_RECEIVES, Context, Ingestion, detail, envelope
from tests.proof_level import IS_FULL

EVENTS = Path(__file__).parents[2] / "events"

# Which of ten messages fail, as bits: with none and all of them, and each message in both roles.
PATTERNS = range(0, 1024, 1 if IS_FULL else 31)


def create(ingestion_of: Ingestion, number: str = "1001") -> Contract:
    contract = Contract.new(number, uuid4().hex, utc_now(), tuple(Component))
    return ingestion_of.contracts.create(contract)


def record(body: str, receives: int = 1) -> dict[str, Any]:
    return {
        "messageId": str(uuid4()),
        "receiptHandle": "unknown",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def test_an_event_of_the_bus_counts_and_is_in_the_trail(ingestion_of: Ingestion) -> None:
    contract = create(ingestion_of)
    assert ingestion_of.handle([record(envelope(detail()))]) == set()
    (entry,) = ingestion_of.trails.entries(contract)
    assert (entry.verdict.code, entry.reception.source) == (Code.ACCEPTED, Source.BUS)


def test_the_envelope_gives_the_created_at_and_the_id_that_the_publisher_left_out(
    ingestion_of: Ingestion,
) -> None:
    contract = create(ingestion_of)
    batch = json.loads((EVENTS / "ingestion_batch.json").read_text())
    ingestion.handler(batch, Context())  # type: ignore[arg-type]
    (entry,) = ingestion_of.trails.entries(contract)
    assert entry.event.created_at == parse_instant("2023-12-01T09:30:00Z")
    assert entry.event.id == "6a7e8feb-b491-4cf7-a9f1-bf3703467718"


def test_a_batch_is_applied_in_the_order_of_created_at(ingestion_of: Ingestion) -> None:
    contract = create(ingestion_of)
    end = envelope(detail(type="supply_energy_end", date="2024-06-01", created_at="2023-12-02T00:00:00Z"))
    assert ingestion_of.handle([record(end), record(envelope(detail()))]) == set()
    assert {entry.verdict.code for entry in ingestion_of.trails.entries(contract)} == {Code.ACCEPTED}


def test_a_refused_event_is_a_success_for_the_queue(ingestion_of: Ingestion) -> None:
    contract = create(ingestion_of)
    assert ingestion_of.handle([record(envelope(detail())), record(envelope(detail()))]) == set()
    codes = sorted(entry.verdict.code for entry in ingestion_of.trails.entries(contract))
    assert codes == [Code.ACCEPTED, Code.STALE_START]


@pytest.mark.parametrize("code", [Code.END_WITHOUT_START, Code.CONTRACT_NOT_FOUND])
def test_what_may_have_overtaken_another_event_is_delivered_again_until_the_last_receive(
    ingestion_of: Ingestion, code: Code
) -> None:
    if code is Code.END_WITHOUT_START:
        create(ingestion_of)
    end = envelope(detail(type="supply_energy_end"))
    for receives in range(1, MAX_RECEIVES):
        message = record(end, receives)
        assert ingestion_of.handle([message]) == {message["messageId"]}
    assert ingestion_of.handle([record(end, MAX_RECEIVES)]) == set()


def test_an_end_that_overtook_its_start_counts_once_the_start_has_arrived(ingestion_of: Ingestion) -> None:
    contract = create(ingestion_of)
    end = record(
        envelope(detail(type="supply_energy_end", date="2024-06-01", created_at="2023-12-02T00:00:00Z"))
    )
    assert ingestion_of.handle([end]) == {end["messageId"]}
    assert ingestion_of.handle([record(envelope(detail()))]) == set()
    assert ingestion_of.handle([end]) == set()
    assert [entry.verdict.code for entry in ingestion_of.trails.entries(contract)] == [Code.ACCEPTED] * 2


MALFORMED = {
    "no JSON": "{",
    "bytes that are no text": "\ufffd\x00",
    "nested too deep": "[" * 100_000,
    "no envelope": "[]",
    "no detail": json.dumps({"detail-type": "component_event"}),
    "a detail that is no object": envelope(["x"]),
    "an unknown field": envelope(detail(colour="green")),
    "a huge detail": envelope(detail(id="x" * 200_000)),
    "another detail-type": envelope(detail(), **{"detail-type": "timeline_changed"}),
    "an illegal contract number": envelope(detail(contract_number="10/01")),
    "a created_at that is a number": envelope(detail(created_at=1701423000)),
    "a time of the envelope that is none": envelope(detail(created_at=None), time="yesterday"),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_message_fails_alone_with_its_reason_in_the_log(
    ingestion_of: Ingestion, body: str, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    contract = create(ingestion_of)
    bad = record(body, MAX_RECEIVES)
    assert ingestion_of.handle([record(envelope(detail())), bad]) == {bad["messageId"]}
    assert len(list(ingestion_of.trails.entries(contract))) == 1
    (line,) = [line for line in log_lines() if line["message"] == "Message rejected"]
    assert line["reason"]


def test_a_rejected_message_is_not_delivered_again_while_its_batch_is_processed(
    ingestion_of: Ingestion,
) -> None:
    ingestion_of.send("{", "[")
    batch = ingestion_of.receive()
    assert len(ingestion_of.handle(batch)) == 2
    assert ingestion_of.receive() == []
    deadline = time.monotonic() + 10
    while not (again := ingestion_of.receive()):
        assert time.monotonic() < deadline, "it waits for the queue's visibility timeout"
        time.sleep(0.05)
    assert {message["messageId"] for message in again} <= {message["messageId"] for message in batch}


def test_an_event_whose_response_is_lost_is_delivered_again_and_counted(
    ingestion_of: Ingestion, counted: Callable[[], dict[str, float]]
) -> None:
    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://aws")

    contract = create(ingestion_of)
    event = record(envelope(detail()))
    aws.dynamodb().meta.events.register_first("before-call.dynamodb.TransactWriteItems", lose)
    assert ingestion_of.handle([event]) == {event["messageId"]}
    assert counted() == {"OutcomeUnknown": 1}
    aws.dynamodb().meta.events.unregister("before-call.dynamodb.TransactWriteItems", lose)
    assert ingestion_of.handle([event]) == set()
    assert counted() == {"EventsAccepted": 1}
    assert len(list(ingestion_of.trails.entries(contract))) == 1


@pytest.mark.parametrize("code", ["TransactionConflictException", "AccessDeniedException"])
def test_an_event_of_which_certainly_nothing_was_stored_is_delivered_again_without_an_alarm(
    ingestion_of: Ingestion,
    counted: Callable[[], dict[str, float]],
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "")  # type: ignore[typeddict-item]

    create(ingestion_of)
    event = record(envelope(detail()))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    aws.dynamodb().meta.events.register_first("before-call.dynamodb.TransactWriteItems", refuse)
    assert ingestion_of.handle([event]) == {event["messageId"]}
    assert counted() == {}
    aws.dynamodb().meta.events.unregister("before-call.dynamodb.TransactWriteItems", refuse)
    assert ingestion_of.handle([event]) == set()


def test_a_row_names_the_account_and_the_source_that_published_its_event(ingestion_of: Ingestion) -> None:
    contract = create(ingestion_of)
    named = envelope(detail(id="named"), account="111122223333", source="crm.contracts")
    odd = envelope(detail(id="odd"), account=7, source="a\ud800b")
    assert ingestion_of.handle([record(named), record(odd)]) == set()
    actors = {entry.event.id: entry.reception.actor for entry in ingestion_of.trails.entries(contract)}
    assert actors == {
        "named": Actor(ActorKind.PUBLISHER, "111122223333", "crm.contracts"),
        "odd": Actor(ActorKind.PUBLISHER),
    }


def test_an_id_that_was_used_for_another_event_is_rejected(ingestion_of: Ingestion) -> None:
    create(ingestion_of)
    other = record(envelope(detail(id="mine", date="2024-02-02")))
    assert ingestion_of.handle([record(envelope(detail(id="mine")))]) == set()
    assert ingestion_of.handle([other]) == {other["messageId"]}


def test_waits_double_and_end_at_five_minutes() -> None:
    assert [delay_seconds(receives) for receives in range(1, 9)] == [5, 10, 20, 40, 80, 160, 300, 300]


def test_exactly_the_failing_messages_of_a_batch_are_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAX_RECEIVES", "3")
    monkeypatch.setenv("INGESTION_QUEUE_URL", "https://queue.invalid/1/ingestion")
    for client in (aws.dynamodb(), aws.sqs()):
        agree_at_once(client)
    good, bad = envelope(detail()), envelope(detail(colour="green"))
    for pattern in PATTERNS:
        fails = [bool(pattern >> index & 1) for index in range(10)]
        batch = [record(bad if fail else good) for fail in fails]
        failing = {message["messageId"] for message, fail in zip(batch, fails, strict=True) if fail}
        answer = ingestion.handler({"Records": batch}, Context())  # type: ignore[arg-type]
        assert {failure["itemIdentifier"] for failure in answer["batchItemFailures"]} == failing


def test_of_100_messages_the_malformed_are_dead_letters_and_every_event_has_one_row(
    ingestion_of: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [f"c{index}" for index in range(9)]
    contracts = [create(ingestion_of, number) for number in numbers]
    events = [
        envelope(
            detail(
                contract_number=numbers[index % 9], created_at=f"2023-12-01T00:{index:02}:00Z", id=f"e{index}"
            )
        )
        for index in range(60)
    ]
    malformed = [envelope(detail(contract_number=f"bad {index}")) for index in range(7)]
    lone_ends = [envelope(detail(contract_number="nowhere", id=f"n{index}")) for index in range(3)]
    bodies = events + events[:30] + malformed + lone_ends
    assert len(bodies) == 100
    monkeypatch.setattr(ingestion, "delay_seconds", lambda _: 0)
    monkeypatch.setattr(ingestion, "SHORT_DELAY_SECONDS", 0)
    ingestion_of.send(*bodies)
    ingestion_of.drain()
    assert len(ingestion_of.dead()) == 7
    rows = [entry for contract in contracts for entry in ingestion_of.trails.entries(contract)]
    assert sorted(str(entry.event.id) for entry in rows) == sorted(f"e{index}" for index in range(60))


def test_an_event_that_was_refused_for_good_does_not_wait_again(ingestion_of: Ingestion) -> None:
    create(ingestion_of)
    end = envelope(detail(type="supply_energy_end", id="mine"))
    assert ingestion_of.handle([record(end, MAX_RECEIVES)]) == set()
    assert ingestion_of.handle([record(end, 1)]) == set()
