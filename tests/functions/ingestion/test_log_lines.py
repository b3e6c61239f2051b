"""The log lines about a message: each names it, one error says why it is given up, one line says that it waits."""

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from functions.ingestion import handler as ingestion
from infra import aws
from infra.contracts.contract_items import key_of
from infra.contracts.event_payloads import utc_now
from infra.message_facts import log_facts
from tests.functions.ingestion.conftest import MAX_RECEIVES, Ingestion, detail, envelope

pytestmark = pytest.mark.xdist_group("emulator")

Lines = Callable[[], list[dict[str, Any]]]

EVENT = detail(id="mine")
NAMED = {
    "envelope_id": "e1",
    "event_id": "mine",
    "contract_number": "1001",
    "date": "2024-01-01",
    "created_at": "2023-12-01T00:00:00Z",
}


@pytest.fixture(autouse=True)
def no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion, "delay_seconds", lambda _: 0)
    monkeypatch.setattr(ingestion, "SHORT_DELAY_SECONDS", 0)
    monkeypatch.setattr(time, "sleep", lambda _: None)


def create(ingestion_of: Ingestion) -> Contract:
    return ingestion_of.contracts.create(Contract.new("1001", uuid4().hex, utc_now(), tuple(Component)))


def named(line: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {name: line[name] for name in names if name in line}


def break_the_contract(ingestion_of: Ingestion) -> None:
    create(ingestion_of)
    aws.dynamodb().update_item(
        TableName=ingestion_of.contracts.table,
        Key=key_of("1001"),
        UpdateExpression="SET generation = :first",
        ExpressionAttributeValues={":first": {"S": "first"}},
    )


def lose_answers(_: Ingestion) -> None:
    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://aws")

    aws.dynamodb().meta.events.register_first("before-call.dynamodb.TransactWriteItems", lose)


def refuse_all(_: Ingestion) -> None:
    def refuse(**_: Any) -> None:
        answer: Any = {
            "Error": {"Code": "AccessDeniedException"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }
        raise ClientError(answer, "TransactWriteItems")

    aws.dynamodb().meta.events.register_first("before-call.dynamodb.TransactWriteItems", refuse)


def use_the_id_before(ingestion_of: Ingestion) -> None:
    create(ingestion_of)
    ingestion_of.send(envelope(detail(id="mine", date="2023-05-05"), id="e0"))
    ingestion_of.drain()


def nothing(_: Ingestion) -> None:
    pass


POISON = {
    "an unknown field": (nothing, EVENT | {"colour": "green"}, 0),
    "an id that was used before": (use_the_id_before, EVENT, 0),
    "a contract that cannot be read": (break_the_contract, EVENT, MAX_RECEIVES - 1),
    "an answer that is lost": (lose_answers, EVENT, MAX_RECEIVES - 1),
    "a write that is refused": (refuse_all, EVENT, MAX_RECEIVES - 1),
}


@pytest.mark.parametrize(("prepare", "sent", "warnings"), POISON.values(), ids=POISON.keys())
def test_a_poison_message_logs_one_error_on_its_last_receive_and_every_line_names_its_event(
    ingestion_of: Ingestion,
    log_lines: Lines,
    prepare: Callable[[Ingestion], None],
    sent: dict[str, Any],
    warnings: int,
) -> None:
    prepare(ingestion_of)
    ingestion_of.send(envelope(sent, id="e1"))
    ingestion_of.drain()
    assert len(ingestion_of.dead()) == 1
    lines = [line for line in log_lines() if line.get("envelope_id") == "e1"]
    assert [line["level"] for line in lines] == ["WARNING"] * warnings + ["ERROR"]
    assert lines[-1]["message"] == "Message rejected"
    assert lines[-1]["receives"] == MAX_RECEIVES
    for line in lines:
        assert named(line, NAMED) == NAMED
        assert line["reason"]
    assert [line for line in log_lines() if line["level"] != "INFO" and line not in lines] == []


def test_an_event_that_waits_for_its_contract_has_one_line_and_then_its_verdict(
    ingestion_of: Ingestion, log_lines: Lines
) -> None:
    ingestion_of.send(envelope(EVENT, id="e1"))
    ingestion_of.drain()
    waits, decided = log_lines()
    assert (waits["message"], waits["level"], waits["code"]) == ("Event waits", "INFO", "contract_not_found")
    assert (decided["message"], decided["code"]) == ("Event decided", "contract_not_found")
    assert named(waits, NAMED) == named(decided, NAMED) == NAMED


def test_a_message_whose_visibility_cannot_be_changed_is_named(
    ingestion_of: Ingestion, log_lines: Lines
) -> None:
    ingestion_of.send(envelope(EVENT, id="e1"))
    (message,) = ingestion_of.receive()
    ingestion_of.handle([message | {"receiptHandle": "unknown"}])
    (line,) = [line for line in log_lines() if line["message"] == "Visibility not changed"]
    assert named(line, NAMED) == NAMED


def test_readings_are_named_by_their_meter_and_envelope(ingestion_of: Ingestion, log_lines: Lines) -> None:
    sent = {"smart_meter_id": "m1", "readings": [{"timestamp": "never"}]}
    ingestion_of.send(envelope(sent, id="e1", **{"detail-type": "meter_readings"}))
    ingestion_of.drain()
    (line,) = log_lines()
    assert (line["message"], line["envelope_id"], line["smart_meter_id"]) == ("Message rejected", "e1", "m1")


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        ("{", {}),
        ("[" * 100_000, {}),
        ("[]", {}),
        (json.dumps({"id": 7, "detail": 8}), {}),
        (json.dumps({"id": "x" * 129}), {}),
        (json.dumps({"id": "a\nb"}), {}),
        (envelope(detail(id=["secret"], date="secret"), id="e1"), {"envelope_id", "contract_number", "created_at"}),
        (envelope(detail(id=None), id="e1"), {"envelope_id", "event_id", "contract_number", "date", "created_at"}),
        (envelope({"smart_meter_id": "../x"}, id="e1", **{"detail-type": "meter_readings"}), {"envelope_id"}),
    ],
)  # fmt: skip
def test_only_valid_values_of_a_message_are_logged(body: str, facts: Any) -> None:
    assert log_facts(body).keys() == set(facts)
