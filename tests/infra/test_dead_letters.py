"""Listing and redriving: no dead letter is lost, none is sent twice without a crash, and each call ends."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from infra import aws, dead_letters
from infra.dead_letters import received, redrive
from infra.operate.dead_letters import Stage, chosen

LATER = timedelta(hours=1)


def create_queues(*names: str) -> tuple[str, str]:
    """Create a dead letter queue, and the queue that its messages came from."""
    dead, target = (aws.sqs().create_queue(QueueName=name)["QueueUrl"] for name in names)
    return dead, target


@pytest.fixture
def queues(cloud: None) -> tuple[str, str]:
    return create_queues("dead", "queue")


def fill(url: str, number: int) -> set[str]:
    bodies = [json.dumps({"id": str(index), "detail": {"n": index}}) for index in range(number)]
    for body in bodies:
        aws.sqs().send_message(QueueUrl=url, MessageBody=body)
    return set(bodies)


def bodies(url: str) -> list[str]:
    """Take all messages of a queue, also those that somebody holds."""
    with received(aws.sqs(), "ingestion", url, wait_seconds=0) as letters:
        return sorted(letter.body for letter in letters)


def send_again(queues: tuple[str, str], before: datetime | None = None, most: int | None = None) -> int:
    before = before or datetime.now(UTC) + LATER
    return redrive(aws.sqs(), "ingestion", queues, before, most=most, wait_seconds=0)


@contextmanager
def failing_at(call: int) -> Iterator[Callable[[], int]]:
    """Let one call of SQS fail before it is sent; yields how many there were."""
    calls = count(1)
    seen = 0

    def fail(**_: Any) -> None:
        nonlocal seen
        seen = next(calls)
        if seen == call:
            raise EndpointConnectionError(endpoint_url="https://aws")

    events = aws.sqs().meta.events
    events.register_first("provide-client-params.sqs.*", fail)
    try:
        yield lambda: seen
    finally:
        events.unregister("provide-client-params.sqs.*", fail)


def test_listing_shows_all_and_leaves_all(queues: tuple[str, str]) -> None:
    sent = fill(queues[0], 23)
    for _ in range(2):
        assert set(bodies(queues[0])) == sent


def test_a_limit_is_kept(queues: tuple[str, str]) -> None:
    fill(queues[0], 23)
    for most in (1, 10, 11):
        with received(aws.sqs(), "ingestion", queues[0], most=most, wait_seconds=0) as letters:
            assert len(letters) == most
    assert send_again(queues, most=12) == 12
    assert (len(bodies(queues[0])), len(bodies(queues[1]))) == (11, 12)


def test_listing_ends_though_messages_are_held_too_short(
    queues: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_HOLD_SECONDS", 0)
    sent = fill(queues[0], 5)
    assert set(bodies(queues[0])) == sent


def test_a_redrive_moves_every_message_once(queues: tuple[str, str]) -> None:
    sent = fill(queues[0], 23)
    assert send_again(queues) == 23
    assert bodies(queues[0]) == []
    assert bodies(queues[1]) == sorted(sent)


def test_what_became_a_dead_letter_again_stays(queues: tuple[str, str]) -> None:
    sent = fill(queues[0], 12)
    assert send_again(queues, before=datetime.now(UTC) - LATER) == 0
    assert set(bodies(queues[0])) == sent
    assert bodies(queues[1]) == []


def test_a_redrive_that_fails_at_any_call_loses_no_message(cloud: None) -> None:
    failed = 0
    for call in count(1):
        queues = create_queues(f"dead-{call}", f"queue-{call}")
        sent = fill(queues[0], 3)
        with failing_at(call) as calls:
            try:
                send_again(queues)
            except EndpointConnectionError:
                failed += 1
        assert set(bodies(queues[0])) | set(bodies(queues[1])) == sent, call
        if calls() < call:
            break
    assert failed > 6


def test_the_command_lists_and_redrives_the_queues_of_a_stage(cloud: None) -> None:
    names = [*dead_letters.QUEUES, "target"]
    urls = {name: aws.sqs().create_queue(QueueName=name)["QueueUrl"] for name in names}
    outputs = {f"{name}_dead_letter_queue_url": url for name, url in urls.items()} | {
        "ingestion_queue_url": urls["target"],
        "contracts_table_name": "contracts",
        "readings_table_name": "readings",
    }
    stage = Stage(aws.sqs(), aws.dynamodb(), outputs, wait_seconds=0)
    for name, number in {"rule": 1, "ingestion": 2, "export": 1}.items():
        fill(urls[name], number)
    listed = list(chosen([], stage))
    assert [line.split()[0] for line in listed[:-1]] == ["rule", "ingestion", "ingestion", "export"]
    assert "detail-type: must be component_event" in listed[1]
    assert listed[-1] == "dead letters: rule 1, ingestion 2, publisher 0, portfolio 0, export 1"
    assert list(chosen(["redrive"], stage)) == [
        "rule: 1 sent back to the ingestion queue",
        "ingestion: 2 sent back to the ingestion queue",
        "export: 1 stay: their jobs have ended; ask for new exports",
    ]
    assert len(bodies(urls["target"])) == 3
    assert len(bodies(urls["export"])) == 1
