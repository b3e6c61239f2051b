"""The routes of dead letters: what they show, what a redrive sends, and what stays where it is."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fastapi.testclient import TestClient

from domain.instants import parse_instant
from domain.users import Role
from functions.api.dead_letters import dead_letters
from infra import aws
from infra.dead_letter_queues import MOST_READ
from infra.dead_letters import NEVER_REDRIVEN, QUEUES, REDRIVEN
from tests.conftest import ENVIRONMENT
from tests.functions.api.calls import create, event, send
from tests.functions.api.people import enter

LogLines = Callable[[], list[dict[str, Any]]]
TARGET = ENVIRONMENT["INGESTION_QUEUE_URL"]


def url_of(queue: str) -> str:
    return ENVIRONMENT[f"{queue.upper()}_DEAD_LETTER_QUEUE_URL"]


def envelope(detail: object, kind: str = "component_event", **fields: object) -> str:
    shown = {"id": "e-1", "detail-type": kind, "source": "crm", "time": "2024-01-01T00:00:00Z"}
    return json.dumps(shown | {"detail": detail} | fields)


def fill(queue: str, *bodies: str) -> list[str]:
    """Put messages into a dead letter queue; return their ids as the API shows them."""
    sent = [aws.sqs().send_message(QueueUrl=url_of(queue), MessageBody=body) for body in bodies]
    return [f"{queue}:{answer['MessageId']}" for answer in sent]


def bodies_in(url: str) -> list[str]:
    """Take all messages that are visible in a queue."""
    found = []
    while page := aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in page]
    return sorted(found)


def listed(api: TestClient, query: str = "") -> dict[str, Any]:
    answer = api.get(f"/dead-letters{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def redrive(api: TestClient, **body: object) -> dict[str, int]:
    answer = api.post("/dead-letters/redrive", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_without_dead_letters_there_is_nothing_to_list_or_to_send(api: TestClient) -> None:
    nothing: dict[str, Any] = {"items": [], "next_cursor": None, "counts": dict.fromkeys(QUEUES, 0)}
    assert listed(api) == nothing
    assert redrive(api, all=True) == {"redriven": 0, "gone": 0, "left": 0}


def test_a_dead_letter_shows_what_it_is_about_and_why_it_is_there(api: TestClient) -> None:
    create(api)
    send(api, id="twice")
    bad = event(id="crm-7", date="soon")
    reused = event(id="twice", date="2024-02-02")
    ids = fill("ingestion", envelope(bad), envelope(reused), envelope(event(id=None)), "{")
    items = {item["id"]: item for item in listed(api)["items"]}
    assert set(items) == set(ids)
    malformed, again, valid, garbage = (items[one] for one in ids)
    assert malformed["reason"].startswith("date: ")
    assert (malformed["event_id"], malformed["contract_number"]) == ("crm-7", "1001")
    assert json.loads(malformed["content"]) == bad
    assert parse_instant(malformed["sent_at"]) <= parse_instant(malformed["first_received_at"])
    assert (malformed["receives"], malformed["redrivable"], malformed["advice"]) == (1, True, None)
    assert "id" in again["reason"]
    assert "different" in again["reason"] or "another" in again["reason"]
    assert valid["reason"].startswith("the message is valid")
    assert valid["event_id"] == "e-1", "the envelope's"
    assert (garbage["reason"], garbage["content"], garbage["event_id"]) == ("body: must be JSON", "{", None)


def test_a_list_leaves_everything_where_it_is(api: TestClient) -> None:
    fill("ingestion", *(envelope({"n": number}) for number in range(12)))
    first = listed(api)
    assert first["counts"]["ingestion"] == len(first["items"]) == 12
    again = listed(api)
    assert [item["id"] for item in again["items"]] == [item["id"] for item in first["items"]]
    assert {item["receives"] for item in again["items"]} == {2}
    assert len(bodies_in(url_of("ingestion"))) == 12


@pytest.mark.parametrize("limit", [1, 5, 200])
def test_pages_show_each_once_the_newest_first(api: TestClient, limit: int) -> None:
    ids = fill("ingestion", *(envelope({"n": number}) for number in range(4)))
    ids += fill("publisher", "{}", "{}") + fill("rule", envelope({}))
    found, cursor = [], ""
    while True:
        page = listed(api, f"?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(item["id"] for item in found) == sorted(ids)
    sent = [parse_instant(item["sent_at"]) for item in found]
    assert sent == sorted(sent, reverse=True)
    (rule,) = listed(api, "?queue=rule")["items"]
    assert rule["reason"] == "the rule could not deliver it"


def test_of_a_long_queue_a_bounded_number_is_read_and_the_count_tells_of_the_rest(api: TestClient) -> None:
    for _ in range(11):
        entries: list[Any] = [{"Id": str(n), "MessageBody": "{"} for n in range(10)]
        aws.sqs().send_message_batch(QueueUrl=url_of("ingestion"), Entries=entries)
    page = listed(api, "?limit=200")
    assert (len(page["items"]), page["counts"]["ingestion"]) == (MOST_READ, 110)


def test_a_redrive_sends_what_was_selected_and_leaves_the_rest(api: TestClient) -> None:
    bodies = [envelope({"n": number}) for number in range(4)]
    first, second, *_ = fill("ingestion", *bodies)
    (rule,) = fill("rule", envelope({"of": "the rule"}))
    assert redrive(api, ids=[first, rule, first]) == {"redriven": 2, "gone": 0, "left": 0}
    assert redrive(api, ids=[first, rule]) == {"redriven": 0, "gone": 2, "left": 0}
    assert redrive(api, ids=[first, second]) == {"redriven": 1, "gone": 1, "left": 0}
    assert bodies_in(TARGET) == sorted([bodies[0], bodies[1], envelope({"of": "the rule"})])
    assert bodies_in(url_of("ingestion")) == sorted(bodies[2:])


def test_a_redrive_of_all_sends_events_and_never_records_of_the_stream_or_ended_jobs(api: TestClient) -> None:
    for queue in QUEUES:
        fill(queue, *(envelope({"of": queue, "n": number}) for number in range(3)))
    assert redrive(api, all=True) == {"redriven": 6, "gone": 0, "left": 0}
    page = listed(api)
    assert page["counts"] == {queue: 0 if queue in REDRIVEN else 3 for queue in QUEUES}
    assert {item["advice"] for item in page["items"]} == set(NEVER_REDRIVEN.values())
    assert not any(item["redrivable"] for item in page["items"])
    assert len(bodies_in(TARGET)) == 6


def test_a_redrive_without_time_left_says_how_many_are_left(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_REDRIVE_SECONDS", 0)
    ids = fill("ingestion", *(envelope({"n": number}) for number in range(3)))
    assert redrive(api, ids=ids[:2]) == {"redriven": 0, "gone": 0, "left": 2}
    assert redrive(api, all=True) == {"redriven": 0, "gone": 0, "left": 3}
    assert bodies_in(TARGET) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"all": False},
        {"all": True, "ids": ["ingestion:1"]},
        {"ids": ["publisher:1"]},
        {"ids": ["1"]},
        {"ids": ["ingestion:"]},
        {"ids": [7]},
        {"ids": ["ingestion:1"] * 201},
        {"all": True, "queue": "rule"},
    ],
)
def test_a_malformed_redrive_is_refused_and_sends_nothing(api: TestClient, body: dict[str, Any]) -> None:
    fill("ingestion", envelope({}))
    answer = api.post("/dead-letters/redrive", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")
    assert bodies_in(TARGET) == []


@pytest.mark.parametrize("query", ["?queue=exports", "?limit=0", "?limit=201", "?q=1"])
def test_a_malformed_question_is_refused(api: TestClient, query: str) -> None:
    assert api.get(f"/dead-letters{query}").status_code == 422
    assert api.get("/dead-letters?cursor=x").status_code == 400


def test_a_cursor_belongs_to_its_queue(api: TestClient) -> None:
    fill("ingestion", "{", "{")
    cursor = listed(api, "?queue=ingestion&limit=1")["next_cursor"]
    assert api.get(f"/dead-letters?cursor={cursor}").json()["code"] == "invalid_cursor"


HOSTILE = ["<img src=x onerror=alert(1)>", "\u202egnorw", "\ud800", "\x1b[2J", "x" * 10_000]


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_was_sent_is_answered_as_text_of_bounded_length(api: TestClient, text: str) -> None:
    detail = {"id": text, "contract_number": text, "smart_meter_id": text, "job_id": text, text: 1}
    fill("ingestion", envelope(detail), envelope(detail, "meter_readings"), json.dumps(text))
    fill("rule", envelope({"id": {"a": 1}, "contract_number": 7}), envelope([[]]), "[" * 5000, "7")
    answer = api.get("/dead-letters")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["items"]) == 7
    assert all(
        len(value) <= 510
        for item in answer.json()["items"]
        for value in item.values()
        if isinstance(value, str)
    )


def test_a_message_of_an_unreadable_contract_is_listed(api: TestClient) -> None:
    create(api)
    key = {"pk": {"S": "CONTRACT#1001"}, "sk": {"S": "CONTRACT"}}
    aws.dynamodb().update_item(
        TableName="contracts",
        Key=key,
        UpdateExpression="SET created_at = :x",
        ExpressionAttributeValues={":x": {"S": "x"}},
    )
    fill("ingestion", envelope(event()))
    (item,) = listed(api)["items"]
    assert item["reason"] == "the contract 1001 or the event's row cannot be read"


@pytest.mark.parametrize(
    "operation", ["GetQueueAttributes", "ReceiveMessage", "SendMessage", "DeleteMessage"]
)
def test_a_throttled_queue_is_503_and_loses_nothing(api: TestClient, operation: str) -> None:
    (wanted,) = fill("ingestion", envelope({"n": 1}))

    def throttle(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, operation)

    events = aws.sqs().meta.events
    events.register_first(f"before-call.sqs.{operation}", throttle)
    for answer in (
        api.get("/dead-letters"),
        api.post("/dead-letters/redrive", json={"ids": [wanted]}),
    ):
        if answer.request.method == "GET" and operation in ("SendMessage", "DeleteMessage"):
            assert answer.status_code == 200
            continue
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")
        assert answer.headers["Retry-After"]
    events.unregister(f"before-call.sqs.{operation}", throttle)
    assert redrive(api, ids=[wanted])["redriven"] == 1
    assert set(bodies_in(TARGET)) == {envelope({"n": 1})}


def test_a_redrive_is_logged_with_its_actor_and_what_it_did(
    closed: None, api: TestClient, log_lines: LogLines
) -> None:
    admin = enter(api, Role.ADMIN)
    fill("ingestion", envelope({}))
    assert api.post("/dead-letters/redrive", json={"all": True}, headers=admin).status_code == 200
    (line,) = (one for one in log_lines() if one.get("action") == "redrive")
    assert (line["outcome"], line["redriven"], line["gone"], line["left"]) == ("done", 1, 0, 0)
    assert line["actor"].startswith("user:")
