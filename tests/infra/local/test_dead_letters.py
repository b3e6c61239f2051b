import json
from datetime import UTC, datetime

import pytest

from infra.local.dead_letters import DeadLetter, reason_of
from infra.local.stack import Stack

NO_STACK = Stack({})


def dead_letter(queue: str, body: str, **attributes: str) -> DeadLetter:
    return DeadLetter(queue, "handle", datetime(2024, 1, 1, tzinfo=UTC), body, attributes)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "body: must be JSON"),
        (json.dumps({"detail-type": "component_event", "detail": []}), "detail: must be a JSON object"),
        (
            json.dumps({"detail-type": "component_event", "detail": {"\x1b[2J": 1}}),
            "?[2J: is not a field of this",
        ),
        (
            json.dumps({"detail-type": "meter_readings", "detail": {"smart_meter_id": "1", "readings": {}}}),
            "readings: must be a list of readings",
        ),
    ],
)
def test_the_reason_of_a_malformed_message_is_the_error_of_the_function(body: str, reason: str) -> None:
    assert reason in reason_of(dead_letter("ingestion", body), NO_STACK)


def test_the_reason_of_an_export_refers_to_the_job() -> None:
    assert "see the status of the job" in reason_of(dead_letter("export", '{"job_id": "1"}'), NO_STACK)


def test_the_reason_of_an_undelivered_event_is_the_error_of_the_bus() -> None:
    undelivered = dead_letter("rule", "{}", ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="the queue refused it")
    assert reason_of(undelivered, NO_STACK) == "NO_PERMISSIONS: the queue refused it"
    assert reason_of(dead_letter("rule", "{}"), NO_STACK) == "the rule could not deliver it"


def test_the_reason_of_unpublished_changes_names_their_records_in_the_stream() -> None:
    body = {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {"batchSize": 3, "startSequenceNumber": "442158"},
    }
    reason = reason_of(dead_letter("publisher", json.dumps(body)), NO_STACK)
    assert reason == "RetryAttemptsExhausted: 3 records of the stream from 442158"


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (json.dumps({"id": "1", "detail": {"a": 1}}), '{"a": 1}'),
        (json.dumps({"id": "1", "detail": "x" * 500}), f'"{"x" * 159}…'),
        ("no JSON \x1b[2J", "no JSON ?[2J"),
    ],
)
def test_a_dead_letter_is_shown_in_one_line_without_control_characters(body: str, summary: str) -> None:
    assert dead_letter("ingestion", body).summary == summary


def test_the_id_of_an_envelope_is_found_if_there_is_one() -> None:
    assert dead_letter("ingestion", '{"id": "1"}').envelope_id == "1"
    assert [dead_letter("ingestion", body).envelope_id for body in ("{", "[]", "{}")] == [None, None, None]
