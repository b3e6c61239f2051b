"""Readings that come over the bus, among events and garbage."""

import json
from typing import Any
from uuid import uuid4

import pytest

from domain.instants import EARLIEST, LATEST
from domain.meters.readings import Interval, Meter, MeterKind
from functions.ingestion import handler as ingestion
from infra import aws
from infra.contracts.event_payloads import utc_now
from infra.meters.reading_store import ReadingStore
from infra.stores import stores
from tests.conftest import create_table, read_template
from tests.functions.ingestion.conftest import Ingestion, envelope

READING = {
    "timestamp": "2024-01-01T00:00:00Z",
    "energy_kwh": 0.1,
    "power_kw": 6,
    "voltage_v": 230,
    "current_a": 1,
}


@pytest.fixture
def store(ingestion_of: Ingestion, monkeypatch: pytest.MonkeyPatch) -> ReadingStore:
    monkeypatch.setattr(ingestion, "SHORT_DELAY_SECONDS", 0)
    table = uuid4().hex
    monkeypatch.setenv("READINGS_TABLE", table)
    create_table(aws.dynamodb(), "ReadingsTable", table)
    return ReadingStore(aws.dynamodb(), table)


def sent(*readings: Any, meter_id: str = "m") -> str:
    body = envelope({"smart_meter_id": meter_id, "readings": list(readings)})
    return body.replace("component_event", "meter_readings")


def stored(store: ReadingStore) -> bytes:
    meter = stores().meters.get("m")
    return b"" if meter is None else b"".join(store.lines(meter, Interval(EARLIEST, LATEST)))


def test_readings_of_the_bus_are_stored_with_every_digit(
    ingestion_of: Ingestion, store: ReadingStore
) -> None:
    ingestion_of.send(sent(READING).replace("0.1,", "0.10,"))
    ingestion_of.drain()
    assert stored(store) == b"2024-01-01T00:00:00Z,m,0.10,6,230,1\r\n"
    assert ingestion_of.dead() == []


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('"123456789.1234567890"', "123456789.1234567890"),
        ('"0.10"', "0.10"),
        # What the handbook of the bus says of the emulated one: it reads numbers as doubles.
        ("123456789.1234567890", "123456789.12345679"),
        ("0.10", "0.1"),
    ],
)
def test_over_the_emulated_bus_text_keeps_every_digit_and_a_number_those_of_a_double(
    ingestion_of: Ingestion, store: ReadingStore, written: str, kept: str
) -> None:
    bus, sqs = uuid4().hex, aws.sqs()
    queue = sqs.get_queue_attributes(QueueUrl=ingestion_of.queue, AttributeNames=["QueueArn"])
    aws.eventbridge().create_event_bus(Name=bus)
    pattern = json.dumps({"detail-type": ["meter_readings"]})
    aws.eventbridge().put_rule(Name="rule", EventBusName=bus, EventPattern=pattern)
    target = {"Id": "queue", "Arn": queue["Attributes"]["QueueArn"]}
    aws.eventbridge().put_targets(Rule="rule", EventBusName=bus, Targets=[target])  # type: ignore[list-item]
    detail = json.dumps({"smart_meter_id": "m", "readings": [READING | {"energy_kwh": "value"}]})
    entry = {"Source": "meters", "DetailType": "meter_readings", "Detail": detail.replace('"value"', written)}
    aws.eventbridge().put_events(Entries=[entry | {"EventBusName": bus}])  # type: ignore[list-item]
    ingestion_of.drain()
    assert stored(store) == f"2024-01-01T00:00:00Z,m,{kept},6,230,1\r\n".encode()


def test_a_message_that_is_delivered_twice_changes_nothing(
    ingestion_of: Ingestion, store: ReadingStore
) -> None:
    ingestion_of.send(sent(READING), sent(READING))
    ingestion_of.drain()
    assert stored(store).count(b"\r\n") == 1


@pytest.mark.parametrize(
    "bad",
    [
        sent(READING, {}),
        sent(),
        sent(READING, meter_id="=1"),
        sent(READING, meter_id="simulated"),
        envelope([]).replace("component_event", "meter_readings"),
        envelope({"readings": [READING]}).replace("component_event", "meter_readings"),
        '"meter_readings"',
        '{"meter_readings"',
    ],
    ids=["entry", "empty", "id", "simulated", "list", "no-meter", "string", "no-json"],
)
def test_a_bad_message_is_rejected_and_affects_no_other(
    ingestion_of: Ingestion, store: ReadingStore, bad: str
) -> None:
    stores().meters.register(Meter("simulated", MeterKind.SIMULATED, utc_now()))
    ingestion_of.send(bad, sent(READING))
    ingestion_of.drain()
    assert ingestion_of.dead() == [bad]
    assert stored(store).count(b"\r\n") == 1


def test_the_rule_takes_events_and_readings_and_nothing_that_the_service_publishes() -> None:
    pattern = read_template()["Resources"]["ComponentEventRule"]["Properties"]["EventPattern"]
    assert pattern["detail-type"] == ["component_event", "meter_readings"]


def registering(meter_id: str, readings: list[Any], **settings: Any) -> str:
    body = envelope({"smart_meter_id": meter_id, "readings": readings} | settings)
    return body.replace("component_event", "meter_readings")


def test_an_event_may_say_the_interval_and_the_zone_of_a_meter_and_overwrites_neither(
    ingestion_of: Ingestion, store: ReadingStore
) -> None:
    ingestion_of.send(registering("m", [READING], interval_seconds=900))
    ingestion_of.drain()
    ingestion_of.send(registering("m", [READING], interval_seconds=60, timezone="Europe/Berlin"))
    ingestion_of.drain()
    meter = stores().meters.get("m")
    assert meter is not None
    assert (meter.kind, meter.interval_seconds, meter.timezone) == (MeterKind.METERED, 900, "Europe/Berlin")
    assert ingestion_of.dead() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"interval_seconds": 7},
        {"interval_seconds": "60"},
        {"interval_seconds": True},
        {"timezone": "Berlin"},
        {"timezone": 1},
    ],
)
def test_an_event_with_bad_settings_is_rejected_and_registers_nothing(
    ingestion_of: Ingestion, store: ReadingStore, settings: dict[str, Any]
) -> None:
    ingestion_of.send(registering("m", [READING], **settings))
    ingestion_of.drain()
    assert len(ingestion_of.dead()) == 1
    assert stores().meters.get("m") is None
