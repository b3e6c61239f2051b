"""What is wrong with one item, and what takes too long, does not reach the other messages of a batch."""

from collections.abc import Callable
from itertools import chain, repeat
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import EndpointConnectionError

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.instants import EARLIEST, LATEST
from domain.meters.readings import Interval, Meter, MeterKind
from functions.ingestion import handler as ingestion
from infra import aws
from infra.contracts import event_messages as messages
from infra.contracts.contract_items import key_of
from infra.contracts.event_payloads import utc_now
from infra.meters.meter_store import MeterStore, partition_of
from infra.meters.reading_store import ReadingStore
from tests.conftest import create_table, read_template
from tests.functions.ingestion.conftest import MAX_RECEIVES, Context, Ingestion, detail, envelope

Lines = Callable[[], list[dict[str, Any]]]

READING = {"energy_kwh": 1, "power_kw": 1, "voltage_v": 230, "current_a": 1}

UNREADABLE = {
    "a component that nobody knows": (
        "SET component_names = list_append(component_names, :value)",
        {"L": [{"S": "wind_turbine"}]},
    ),
    "an instant of the wrong type": (
        "SET components.energy_supply.start_created_at = :value",
        {"S": "2023-12-01"},
    ),
    "no generation": ("SET generation = :value", {"S": "first"}),
}


def create(ingestion_of: Ingestion, number: str) -> Contract:
    return ingestion_of.contracts.create(Contract.new(number, uuid4().hex, utc_now(), tuple(Component)))


def start(number: str, **changes: Any) -> str:
    return envelope(detail(contract_number=number, **changes))


def record(body: str, receives: int = 1, handle: str = "unknown") -> dict[str, Any]:
    return {
        "messageId": str(uuid4()),
        "receiptHandle": handle,
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def sent(meter_id: str, energy: int = 1, hour: int = 0) -> str:
    reading = READING | {"timestamp": f"2024-01-01T{hour:02}:00:00Z", "energy_kwh": energy}
    return envelope({"smart_meter_id": meter_id, "readings": [reading]}).replace(
        "component_event", "meter_readings"
    )


def ids(*records: dict[str, Any]) -> set[str]:
    return {str(each["messageId"]) for each in records}


def until(times: int) -> Context:
    """Return a context in which there is time to begin so many things."""
    left = chain(repeat(30.0, times), repeat(0.0))
    return Context(seconds_left=lambda: next(left))


@pytest.fixture
def meters(ingestion_of: Ingestion, monkeypatch: pytest.MonkeyPatch) -> MeterStore:
    table = uuid4().hex
    monkeypatch.setenv("READINGS_TABLE", table)
    create_table(aws.dynamodb(), "ReadingsTable", table)
    return MeterStore(aws.dynamodb(), table)


def stored(meters: MeterStore, meter_id: str) -> list[bytes]:
    meter = meters.get(meter_id)
    if meter is None:
        return []
    store = ReadingStore(meters.client, meters.table)
    return b"".join(store.lines(meter, Interval(EARLIEST, LATEST))).splitlines()


@pytest.mark.parametrize("damage", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_contract_that_cannot_be_read_fails_its_own_messages_only(
    ingestion_of: Ingestion, damage: tuple[str, Any], log_lines: Lines
) -> None:
    update, value = damage
    sound, broken = create(ingestion_of, "1001"), create(ingestion_of, "1002")
    aws.dynamodb().update_item(
        TableName=ingestion_of.contracts.table,
        Key=key_of(broken.number),
        UpdateExpression=update,
        ExpressionAttributeValues={":value": value},
    )
    # Refused by the condition, so that the item is read to say why.
    bad = [record(start("1002", type="heatpump_optimization_end")), record(start("1002", date="2024-02-02"))]
    if "start_created_at" in update:
        bad = [record(start("1002")), record(start("1002", type="supply_energy_end"))]
    good = [record(start("1001", created_at=f"2023-12-0{day}T00:00:00Z")) for day in (1, 2, 3)]
    batch = [good[0], bad[0], good[1], bad[1], good[2]]
    failed = ingestion_of.handle(batch)
    assert bad[0]["messageId"] in failed
    assert failed <= ids(*bad)
    assert len(list(ingestion_of.trails.entries(sound))) == 3
    lines = [line for line in log_lines() if line["message"] == "Message not applied"]
    assert {line["contract_number"] for line in lines} == {"1002"}


def test_a_message_on_which_reading_itself_breaks_fails_alone(
    ingestion_of: Ingestion, monkeypatch: pytest.MonkeyPatch, log_lines: Lines
) -> None:
    sound = create(ingestion_of, "1001")
    identifiers = iter([uuid4(), None, uuid4()])
    monkeypatch.setattr(messages, "uuid4", lambda: next(identifiers))
    batch = [record(start("1001", created_at=f"2023-12-0{day}T00:00:00Z")) for day in (1, 2, 3)]
    assert ingestion_of.handle(batch) == ids(batch[1])
    assert len(list(ingestion_of.trails.entries(sound))) == 2
    assert [line["message"] for line in log_lines()].count("Message not applied") == 1


def test_a_meter_that_cannot_be_read_fails_its_own_messages_only(
    ingestion_of: Ingestion, meters: MeterStore, log_lines: Lines
) -> None:
    meters.register(Meter("bad", MeterKind.METERED, utc_now()))
    aws.dynamodb().update_item(
        TableName=meters.table,
        Key={"pk": partition_of("bad"), "sk": {"S": "METER"}},
        UpdateExpression="SET meter_kind = :kind",
        ExpressionAttributeValues={":kind": {"S": "guessed"}},
    )
    batch = [record(sent(meter_id)) for meter_id in ("a", "bad", "b")]
    assert ingestion_of.handle(batch) == ids(batch[1])
    assert len(stored(meters, "a")) == len(stored(meters, "b")) == 1
    failed = [line for line in log_lines() if line["message"] == "Message not applied"]
    assert [line["smart_meter_id"] for line in failed] == ["bad"]


def test_readings_of_different_meters_are_stored_in_parallel(
    ingestion_of: Ingestion, meters: MeterStore
) -> None:
    together = Barrier(4, timeout=10)

    def meet(**_: Any) -> None:
        together.wait()

    aws.dynamodb().meta.events.register_first("before-call.dynamodb.TransactWriteItems", meet)
    assert ingestion_of.handle([record(sent(meter_id)) for meter_id in "abcd"]) == set()


def test_readings_of_one_meter_are_stored_in_the_order_they_came(
    ingestion_of: Ingestion, meters: MeterStore
) -> None:
    batch = [record(sent("a", energy)) for energy in range(1, 9)]
    assert ingestion_of.handle(batch) == set()
    assert stored(meters, "a") == [b"2024-01-01T00:00:00Z,a,8,1,230,1"]


def test_after_an_upload_whose_outcome_is_unknown_no_later_one_of_that_meter_is_tried(
    ingestion_of: Ingestion, meters: MeterStore
) -> None:
    tried: list[str] = []

    def lose(params: dict[str, Any], **_: Any) -> None:
        if "METER#a" in str(params):
            tried.append("a")
            raise EndpointConnectionError(endpoint_url="https://aws")

    aws.dynamodb().meta.events.register_first("provide-client-params.dynamodb.TransactWriteItems", lose)
    batch = [record(sent("a", 1)), record(sent("b", 1)), record(sent("a", 2)), record("{")]
    assert ingestion_of.handle(batch) == ids(batch[0], batch[2], batch[3])
    assert tried == ["a"]
    assert stored(meters, "a") == []
    assert len(stored(meters, "b")) == 1


@pytest.mark.parametrize("kind", ["events", "readings"])
def test_messages_without_time_left_are_returned_unprocessed(
    ingestion_of: Ingestion, meters: MeterStore, kind: str
) -> None:
    contract = create(ingestion_of, "1001")
    events = [start("1001", id=str(day), created_at=f"2023-12-0{day}T00:00:00Z") for day in (1, 2, 3)]
    bodies = events if kind == "events" else [sent("a", hour=hour) for hour in range(3)]
    batch = [record(body) for body in bodies]
    assert ingestion_of.handle(batch, until(1)) == ids(*batch[1:])
    done = list(ingestion_of.trails.entries(contract)) if kind == "events" else stored(meters, "a")
    assert len(done) == 1
    assert ingestion_of.handle(batch[1:]) == set()
    done = list(ingestion_of.trails.entries(contract)) if kind == "events" else stored(meters, "a")
    assert len(done) == 3


@pytest.mark.parametrize("write", [lambda _: start("1001"), sent], ids=["events", "readings"])
def test_a_message_that_there_was_never_time_for_never_becomes_a_dead_letter(
    ingestion_of: Ingestion,
    meters: MeterStore,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[str], str],
) -> None:
    monkeypatch.setattr(ingestion, "SHORT_DELAY_SECONDS", 0)
    contract = create(ingestion_of, "1001")
    ingestion_of.send(write("a"))
    for _ in range(3 * MAX_RECEIVES):
        (message,) = ingestion_of.receive()
        if ingestion_of.handle([message], until(0)) != ids(message):
            aws.sqs().delete_message(QueueUrl=ingestion_of.queue, ReceiptHandle=message["receiptHandle"])
    assert ingestion_of.dead() == []
    ingestion_of.drain()
    assert len(list(ingestion_of.trails.entries(contract))) + len(stored(meters, "a")) == 1


@pytest.mark.parametrize("kind", ["events", "readings"])
def test_what_was_received_most_often_is_processed_first(
    ingestion_of: Ingestion, meters: MeterStore, kind: str
) -> None:
    for number in ("fresh", "older", "oldest"):
        create(ingestion_of, number)
    write = start if kind == "events" else sent
    batch = [record(write("fresh")), record(write("oldest"), MAX_RECEIVES), record(write("older"), 2)]
    assert ingestion_of.handle(batch, until(2)) == ids(batch[0])


def test_the_last_receive_of_a_message_that_cannot_be_sent_as_new_ends_as_a_dead_letter_and_not_as_a_loss(
    ingestion_of: Ingestion,
) -> None:
    def refuse(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://aws")

    aws.sqs().meta.events.register_first("provide-client-params.sqs.SendMessage", refuse)
    message = record(start("1001"), MAX_RECEIVES)
    assert ingestion_of.handle([message], until(0)) == ids(message)


def test_the_function_may_run_well_beyond_what_it_keeps_to_finish() -> None:
    timeout = read_template()["Resources"]["IngestionFunction"]["Properties"]["Timeout"]
    assert timeout >= 2 * ingestion._TIME_TO_FINISH_SECONDS
