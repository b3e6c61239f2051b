import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.meters.readings import Meter, MeterKind
from infra import aws
from infra.contracts.contract_store import ContractStore
from infra.contracts.trail_store import TrailStore
from infra.dead_letter_reasons import Reasons
from infra.dead_letters import DeadLetter
from infra.meters.meter_store import MeterStore
from infra.operate.dead_letters import summary_of
from tests.functions.api.calls import create, event


def dead_letter(queue: str, body: str, **attributes: str) -> DeadLetter:
    return DeadLetter(queue, "id", "handle", datetime(2024, 1, 1, tzinfo=UTC), body, attributes)


def reason_of(letter: DeadLetter) -> str:
    contracts = ContractStore(aws.dynamodb(), "contracts")
    meters = MeterStore(aws.dynamodb(), "readings")
    return Reasons(contracts, TrailStore(aws.dynamodb(), "contracts"), meters).of(letter)


def in_envelope(kind: str, detail: Any) -> str:
    return json.dumps({"detail-type": kind, "id": "1", "time": "2024-01-01T00:00:00Z", "detail": detail})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "body: must be JSON"),
        (json.dumps({"detail-type": "component_event", "detail": []}), "detail: must be a JSON object"),
        (
            json.dumps({"detail-type": "component_event", "detail": {"\x1b[2J": 1}}),
            "[2J: is not a field of this",
        ),
        (
            json.dumps({"detail-type": "meter_readings", "detail": {"smart_meter_id": "1", "readings": {}}}),
            "readings: must be a list of readings",
        ),
    ],
)
def test_the_reason_of_a_malformed_message_is_the_error_of_the_function(body: str, reason: str) -> None:
    assert reason in reason_of(dead_letter("ingestion", body))


def test_the_reason_of_an_export_refers_to_the_job() -> None:
    assert "see the status of the job" in reason_of(dead_letter("export", '{"job_id": "1"}'))


def test_the_reason_of_an_undelivered_event_is_the_error_of_the_bus() -> None:
    undelivered = dead_letter("rule", "{}", ERROR_CODE="NO_PERMISSIONS", ERROR_MESSAGE="the queue refused it")
    assert reason_of(undelivered) == "NO_PERMISSIONS: the queue refused it"
    assert reason_of(dead_letter("rule", "{}")) == "the rule could not deliver it"


def test_the_reason_of_unpublished_changes_names_their_records_in_the_stream() -> None:
    body = {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {"batchSize": 3, "startSequenceNumber": "442158"},
    }
    reason = reason_of(dead_letter("publisher", json.dumps(body)))
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
    assert summary_of(dead_letter("ingestion", body)) == summary


def test_the_id_of_an_envelope_is_found_if_there_is_one() -> None:
    assert dead_letter("ingestion", '{"id": "1"}').envelope_id == "1"
    assert [dead_letter("ingestion", body).envelope_id for body in ("{", "[]", "{}")] == [None, None, None]


def test_an_id_that_stands_in_the_trail_with_another_payload_is_the_reason(api: TestClient) -> None:
    valid = "the message is valid: applying it failed on every receive; see the log of the function"
    message = dead_letter("ingestion", in_envelope("component_event", event(id="mine", date="2024-02-02")))
    assert reason_of(message) == valid
    api.post("/event", json=event(id="mine"))  # before there is a contract
    assert reason_of(message) == "This id was used before with another payload."
    create(api)
    other = dead_letter("ingestion", in_envelope("component_event", event(id="yours", date="2024-02-02")))
    assert reason_of(other) == valid
    api.post("/event", json=event(id="yours"))
    assert reason_of(other) == "This id was used before with another payload."


def test_readings_of_a_simulated_meter_are_the_reason(cloud: None) -> None:
    reading = {"timestamp": "2024-01-01T00:00:00Z", "energy_kwh": 1, "power_kw": 1, "voltage_v": 230}
    sent = {"smart_meter_id": "m1", "readings": [reading | {"current_a": 1}]}
    message = dead_letter("ingestion", in_envelope("meter_readings", sent))
    assert "the message is valid" in reason_of(message)
    simulated = Meter("m1", MeterKind.SIMULATED, datetime(2024, 1, 1, tzinfo=UTC))
    MeterStore(aws.dynamodb(), "readings").register(simulated)
    assert "simulated" in reason_of(message)
