from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.functions.api.calls import END, START, create, send, supply

Fields = dict[str, Any]


def at(day: str, date: str, type: str = START) -> Fields:  # noqa: A002
    """Return an event created on a day of December 2023."""
    return {"type": type, "date": date, "created_at": f"2023-12-{day}T00:00:00Z"}


def seen(fields: Fields) -> Fields:
    return {name: fields[name] for name in ("type", "date", "created_at")}


STARTED = at("10", "2024-01-10")
ENDED = at("20", "2024-01-20", END)
RUN = [STARTED, ENDED]

NOT_FOUND = "Contract 9999 not found."
RESTART = "cannot be restarted"
OLDER = "older or equal"
BEFORE = "before start"

# What happened before, the event, its code, what the sentence says, and who stands in the way.
# Rows with "and" break several rules at once: the rule that stands first in the list answers.
REFUSED: list[tuple[str, list[Fields], Fields, str, str, Fields | None]] = [
    (
        "no such contract",
        [],
        {"contract_number": "9999"},
        "contract_not_found",
        NOT_FOUND,
        None,
    ),
    (
        "no such contract and no start",
        [],
        {"contract_number": "9999", "type": END},
        "contract_not_found",
        NOT_FOUND,
        None,
    ),
    (
        "start of a component the contract lacks",
        [],
        {"type": "battery_optimization_start"},
        "component_not_configured",
        "not configured for contract",
        None,
    ),
    (
        "end of a component the contract lacks and no start",
        [],
        {"type": "heatpump_optimization_end"},
        "component_not_configured",
        "not configured for contract",
        None,
    ),
    ("restart", RUN, at("21", "2024-01-11"), "restart_after_end", RESTART, ENDED),
    (
        "restart as old as the end",
        RUN,
        at("20", "2024-01-11"),
        "restart_after_end",
        RESTART,
        ENDED,
    ),
    (
        "restart and after the end date",
        RUN,
        at("21", "2024-02-01"),
        "restart_after_end",
        RESTART,
        ENDED,
    ),
    ("older start", [STARTED], at("09", "2024-01-09"), "stale_start", OLDER, STARTED),
    ("same start", [STARTED], STARTED, "stale_start", OLDER, STARTED),
    (
        "older start and after the end date",
        RUN,
        at("09", "2024-02-01"),
        "stale_start",
        OLDER,
        STARTED,
    ),
    ("start after the end date", RUN, at("15", "2024-01-21"), "start_after_end_date", "after end", ENDED),
    ("end alone", [], ENDED, "end_without_start", "requires a start event", None),
    (
        "end as old as the start",
        [STARTED],
        at("10", "2024-02-01", END),
        "end_before_start",
        BEFORE,
        STARTED,
    ),
    (
        "end older than the start",
        [STARTED],
        at("09", "2024-02-01", END),
        "end_before_start",
        BEFORE,
        STARTED,
    ),
    ("end dated before", [STARTED], at("20", "2024-01-09", END), "end_before_start", BEFORE, STARTED),
    (
        "end older than the start and than the end",
        RUN,
        at("09", "2024-02-01", END),
        "end_before_start",
        BEFORE,
        STARTED,
    ),
    ("older end", RUN, at("19", "2024-02-01", END), "stale_end", OLDER, ENDED),
    ("same end", RUN, ENDED, "stale_end", OLDER, ENDED),
    ("older end and dated before", RUN, at("19", "2024-01-01", END), "stale_end", OLDER, ENDED),
    ("newer end dated before", RUN, at("21", "2024-01-09", END), "end_before_start", BEFORE, STARTED),
]


def test_a_refusal_names_the_first_rule_broken_and_who_stands_in_the_way(api: TestClient) -> None:
    for number, (name, earlier, event, code, sentence, blocked_by) in enumerate(REFUSED):
        contract = {"contract_number": str(number)}
        create(api, str(number))
        for fields in earlier:
            assert send(api, **contract | fields)["status"] == "accepted"
        before = supply(api, str(number))

        verdict = send(api, **contract | event)

        assert (verdict["status"], verdict["code"]) == ("rejected", code), name
        assert sentence in verdict["message"], name
        assert verdict.get("blocked_by") == (seen(blocked_by) if blocked_by else None), name
        assert supply(api, str(number)) == before, name


def test_every_code_of_the_rules_is_in_the_table_of_refusals() -> None:
    assert {row[3] for row in REFUSED} == {
        "contract_not_found",
        "component_not_configured",
        "restart_after_end",
        "stale_start",
        "start_after_end_date",
        "end_without_start",
        "end_before_start",
        "stale_end",
    }


ACCEPTED: list[tuple[str, list[Fields], Fields, list[str | None]]] = [
    ("a start", [], STARTED, ["2024-01-10", None]),
    ("a newer start overwrites", [STARTED], at("11", "2023-06-01"), ["2023-06-01", None]),
    (
        "a start a microsecond newer",
        [STARTED],
        {"created_at": "2023-12-10T00:00:00.000001Z"},
        ["2024-01-01", None],
    ),
    ("an end", [STARTED], ENDED, ["2024-01-10", "2024-01-20"]),
    ("an end on the start date", [STARTED], at("20", "2024-01-10", END), ["2024-01-10", "2024-01-10"]),
    ("a newer end overwrites", RUN, at("21", "2024-01-15", END), ["2024-01-10", "2024-01-15"]),
    ("a start between start and end", RUN, at("15", "2024-01-12"), ["2024-01-12", "2024-01-20"]),
    ("a start on the end date", RUN, at("15", "2024-01-20"), ["2024-01-20", "2024-01-20"]),
]


def test_an_accepted_event_overwrites_the_date_it_names(api: TestClient) -> None:
    for number, (name, earlier, event, dates) in enumerate(ACCEPTED):
        contract = {"contract_number": str(number)}
        create(api, str(number))
        for fields in earlier:
            send(api, **contract | fields)

        verdict = send(api, **contract | event)

        assert (verdict["status"], verdict["code"]) == ("accepted", "accepted"), name
        assert verdict["message"] == "Event processed successfully."
        assert "blocked_by" not in verdict
        assert list(supply(api, str(number)).values()) == dates, name


def test_a_verdict_repeats_the_event_it_is_about(api: TestClient) -> None:
    create(api)

    verdict = send(api, created_at="2023-12-01T02:00:00.120+02:00", id="publisher-7")

    assert verdict == {
        "status": "accepted",
        "code": "accepted",
        "message": "Event processed successfully.",
        "contract_number": "1001",
        "type": START,
        "date": "2024-01-01",
        "created_at": "2023-12-01T00:00:00.120000Z",
    }


ADDRESSES = ["/contract/1001/contract_timeline", "/1001/contract_timeline", "/1001/contract_timeline/"]


@pytest.mark.parametrize("component", ["energy_supply", "battery_optimization", "heatpump_optimization"])
def test_the_events_of_a_component_leave_the_others_alone(api: TestClient, component: str) -> None:
    components = ("heatpump_optimization", "battery_optimization", "energy_supply")
    create(api, "1001", *components)
    name = "supply_energy" if component == "energy_supply" else component

    send(api, type=f"{name}_start", date="2024-01-01")
    send(api, type=f"{name}_end", date="2024-02-01", created_at="2024-01-15T00:00:00Z")

    unknown = {"start": None, "end": None}
    for address in (
        "/contract/1001/contract_timeline",
        "/1001/contract_timeline",
        "/1001/contract_timeline/",
    ):
        answer = api.get(address, follow_redirects=False)
        assert answer.status_code == 200
        assert answer.json() == {
            "contract_number": "1001",
            "components": dict.fromkeys(components, unknown)
            | {component: {"start": "2024-01-01", "end": "2024-02-01"}},
        }
        assert tuple(answer.json()["components"]) == components


@pytest.mark.parametrize("yes", ["true", "1"])
def test_a_dry_run_answers_the_verdict_and_stores_nothing(api: TestClient, yes: str) -> None:
    create(api)
    send(api, **STARTED)
    path = f"/event?dry_run={yes}"

    def dry(**fields: object) -> Fields:
        answer = api.post(path, json={"contract_number": "1001"} | fields)
        assert answer.status_code == 200
        return dict(answer.json())

    accepted, refused = dry(**ENDED), dry(**STARTED)

    assert (accepted["code"], accepted["dry_run"]) == ("accepted", True)
    assert (refused["code"], refused["dry_run"]) == ("stale_start", True)
    assert refused["blocked_by"] == seen(STARTED)
    assert dry(**STARTED, contract_number="9999")["code"] == "contract_not_found"
    assert supply(api) == {"start": "2024-01-10", "end": None}
    assert api.get("/contract/9999").status_code == 404
    assert send(api, **ENDED) == {name: accepted[name] for name in accepted if name != "dry_run"}


def test_dry_run_that_is_no_boolean_is_422_and_stores_nothing(api: TestClient) -> None:
    create(api)
    for value in ("maybe", "", "2", "%FF"):
        answer = api.post(f"/event?dry_run={value}", json=STARTED | {"contract_number": "1001"})
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, "dry_run")

    assert supply(api) == {"start": None, "end": None}


@pytest.mark.parametrize("path", ["/event/", "/event?dry_run=false"])
def test_an_event_is_stored_without_a_redirect_and_when_dry_run_is_false(api: TestClient, path: str) -> None:
    create(api)

    answer = api.post(path, json=STARTED | {"contract_number": "1001"}, follow_redirects=False)

    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    assert supply(api)["start"] == "2024-01-10"


MALFORMED: list[tuple[Fields, str]] = [
    ({"type": "supply_energy"}, "type"),
    ({"type": "SUPPLY_ENERGY_START"}, "type"),
    ({"type": "energy_supply"}, "type"),
    ({"type": None}, "type"),
    ({"type": 1}, "type"),
    ({"type": ["supply_energy_start"]}, "type"),
    ({"contract_number": "a/b"}, "contract_number"),
    ({"contract_number": 1001}, "contract_number"),
    ({"contract_number": ""}, "contract_number"),
    ({"id": ""}, "id"),
    ({"id": "x" * 129}, "id"),
    ({"id": 7}, "id"),
    ({"status": "accepted"}, "status"),
    ({"dry_run": True}, "dry_run"),
]


def test_a_malformed_event_is_422_with_the_field_named_and_nothing_is_stored(api: TestClient) -> None:
    create(api)
    body = STARTED | {"contract_number": "1001"}
    for wrong, field in MALFORMED:
        answer = api.post("/event", json=body | wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_error"), wrong
        assert [detail["field"] for detail in answer.json()["details"]] == [field]
    for missing in body:
        answer = api.post("/event", json={name: body[name] for name in body if name != missing})
        assert answer.status_code == 422
        assert answer.json()["details"] == [{"field": missing, "message": "Field required"}]

    assert supply(api) == {"start": None, "end": None}


def test_a_publisher_id_of_any_text_up_to_128_characters_is_taken(api: TestClient) -> None:
    create(api)
    for number, publisher_id in enumerate(["x", "x" * 128, "😀" * 128, "é \n\0", "CONTRACT#"]):
        verdict = send(api, created_at=f"2023-12-01T00:00:0{number}Z", id=publisher_id)
        assert verdict["status"] == "accepted"
