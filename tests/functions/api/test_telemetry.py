import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from fastapi.testclient import TestClient

from domain.users import Role
from tests.functions.api.calls import END, create, event
from tests.functions.api.people import enter, make_key

Lines = Callable[[], list[dict[str, Any]]]


def throttled() -> Exception:
    answer: Any = {
        "Error": {"Code": "ThrottlingException", "Message": ""},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    return ClientError(answer, "TransactWriteItems")


def decided(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["message"] == "Event decided"]


def metrics(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith('{"_aws"')]


def test_a_decided_event_is_one_json_line_with_the_request_id(api: TestClient, log_lines: Lines) -> None:
    create(api)

    for body, code in [(event(created_at="2023-12-01T01:00:00+01:00"), "accepted"), (event(), "stale_start")]:
        answer = api.post("/event", json=body)
        line = decided(log_lines())[-1]
        assert line["correlation_id"] == answer.headers["X-Request-ID"]
        assert {
            name: line[name] for name in ("contract_number", "component", "action", "created_at", "code")
        } == {
            "contract_number": "1001",
            "component": "energy_supply",
            "action": "start",
            "created_at": "2023-12-01T00:00:00Z",
            "code": code,
        }
    assert len(decided(log_lines())) == 2


def test_each_event_of_a_batch_has_a_line_and_each_code_one_metric(
    api: TestClient, log_lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    create(api)
    entries = [
        event(),
        event(),
        event(),
        event(type=END, date="2023-01-01", created_at="2024-01-01T00:00:00Z"),
        event(contract_number="9999"),
        "malformed",
    ]
    capsys.readouterr()

    answer = api.post("/events", json={"events": entries})

    lines = decided(log_lines())
    assert sorted(line["code"] for line in lines) == [
        *("accepted", "contract_not_found", "end_before_start", "stale_start", "stale_start"),
    ]
    assert {line["correlation_id"] for line in lines} == {answer.headers["X-Request-ID"]}

    counted = metrics(capsys.readouterr().out)
    assert {(m.get("code"), *m.get("EventsAccepted", []), *m.get("EventsRejected", [])) for m in counted} == {
        (None, 1.0),
        (None, 4.0),  # all refused, whatever their code
        ("stale_start", 2.0),
        ("end_before_start", 1.0),
        ("contract_not_found", 1.0),
    }


@pytest.mark.parametrize(("number", "metric"), [("1001", "EventsAccepted"), ("9999", "EventsRejected")])
def test_a_metric_contains_no_contract_number(
    api: TestClient, capsys: pytest.CaptureFixture[str], number: str, metric: str
) -> None:
    create(api)
    capsys.readouterr()

    api.post("/event", json=event(contract_number=number))

    lines = metrics(capsys.readouterr().out)
    written = {}
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "EnergyOperations"
        (name,) = (each["Name"] for each in directive["Metrics"])
        (dimensions,) = directive["Dimensions"]
        written[name, tuple(sorted(dimensions))] = line[name]
        assert number not in json.dumps(line).replace(str(line["_aws"]["Timestamp"]), "")
    plain = ("service", "stage")
    if metric == "EventsAccepted":
        assert written == {(metric, plain): [1.0]}
    else:
        by_code = (metric, ("code", *plain))
        assert written == {("EventsAccepted", plain): [0.0], by_code: [1.0], (metric, plain): [1.0]}


def test_dry_runs_and_malformed_events_are_not_counted(
    api: TestClient, log_lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    create(api)
    capsys.readouterr()

    api.post("/event?dry_run=true", json=event())
    api.post("/event", json=event(date="x"))
    api.post("/events", json={"events": [{}, 1]})

    assert decided(log_lines()) == []
    assert metrics(capsys.readouterr().out) == []


def test_the_lines_of_a_decided_event_name_it(api: TestClient, log_lines: Lines) -> None:
    create(api)
    api.post("/event", json=event(id="mine"))
    api.post("/events", json={"events": [event(date="2024-03-03", created_at="2024-02-02T00:00:00Z")]})
    named, unnamed = decided(log_lines())
    assert (named["event_id"], named["date"]) == ("mine", "2024-01-01")
    assert unnamed["date"] == "2024-03-03"
    assert "event_id" not in unnamed, "nothing of the request before is left"
    for line in (named, unnamed):
        assert api.get(f"/contract/1001/events/{line['event_key']}").json()["date"] == line["date"]


FAILURES = {
    "outcome unknown": (ReadTimeoutError(endpoint_url="https://aws"), "Outcome unknown"),
    "busy": (throttled(), "Busy"),
    "no connection": (EndpointConnectionError(endpoint_url="https://aws"), "Busy"),
    "unexpected": (RuntimeError("boom"), "Unexpected error"),
}


@pytest.mark.parametrize(("error", "message"), FAILURES.values(), ids=FAILURES.keys())
def test_the_lines_of_an_event_that_was_not_decided_name_it(
    api: TestClient,
    log_lines: Lines,
    dynamodb_raises: Callable[[Exception], None],
    error: Exception,
    message: str,
) -> None:
    create(api)
    dynamodb_raises(error)
    api.post("/event", json=event(id="mine"))
    (line,) = [line for line in log_lines() if line["level"] != "INFO"]
    assert line["message"] == message
    assert (line["event_id"], line["date"], line["contract_number"]) == ("mine", "2024-01-01", "1001")

    api.post("/events", json={"events": [event(id="first"), event(id="second", contract_number="1002")]})
    lines = [line for line in log_lines() if line["message"] == "Event not decided"]
    assert [(line["event_id"], line["contract_number"]) for line in lines] == [
        ("first", "1001"),
        ("second", "1002"),
    ]


def test_credentials_are_not_logged(
    api: TestClient, log_lines: Lines, dynamodb_raises: Callable[[Exception], None]
) -> None:
    secret = {"Authorization": "Bearer hush", "X-API-Key": "hush", "Cookie": "session=hush"}
    dynamodb_raises(RuntimeError("boom"))

    assert api.post("/event", json=event(), headers=secret).status_code == 500

    assert len(log_lines()) > 0
    assert "hush" not in json.dumps(log_lines())


def test_a_repeated_event_is_not_counted_again(
    api: TestClient, log_lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    create(api)
    for _ in range(2):
        api.post("/event", json=event(id="mine"))
        api.post("/events", json={"events": [event(id="mine")]})
    assert len(decided(log_lines())) == 1
    assert len(metrics(capsys.readouterr().out)) == 1


def test_the_line_of_a_decided_event_names_who_sent_it(
    closed: None, api: TestClient, log_lines: Lines
) -> None:
    shown = enter(api, Role.OPERATOR)
    key = make_key(api, shown, Role.OPERATOR)
    body = {"contract_number": "1001", "components": ["energy_supply"]}
    api.post("/contract", json=body, headers=shown)
    for headers in (shown, {"X-API-Key": key["key"]}):
        api.post("/event", json=event(), headers=headers)
    user = api.get("/api/v1/users/me", headers=shown).json()["id"]
    assert [line["actor"] for line in decided(log_lines())] == [f"user:{user}", f"api_key:{key['id']}"]
