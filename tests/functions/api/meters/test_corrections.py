"""Corrections over HTTP: which reading counts, what the history says, and what was known before."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.instants import format_instant, parse_instant
from domain.meters.csv_format import HEADER
from domain.meters.readings import Meter, MeterKind
from domain.users import Role
from infra.stores import stores
from tests.functions.api.people import enter, make_key

AT = "2024-01-01T00:00:00Z"
PATH = "/api/meters/m/readings"


def entry(energy: float | str | None = 1, at: str = AT, **more: Any) -> dict[str, Any]:
    return {"timestamp": at, "energy_kwh": energy} | more


def put(api: TestClient, *entries: Any, status: int = 200, params: Any = None, **body: Any) -> dict[str, Any]:
    answer = api.put(PATH, json={"readings": entries} | body, params=params)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def effects(counts: dict[str, Any]) -> dict[str, int]:
    """Return the counts that are not 0, without the sum."""
    assert counts["received"] == sum(counts.values()) - counts["received"]
    return {name: count for name, count in counts.items() if count and name != "received"}


def shown(api: TestClient, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(PATH, params=query).json()["items"]
    return items


def history(api: TestClient, at: str = AT, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get(f"{PATH}/history", params={"timestamp": at} | query).json()["items"]
    return items


def now() -> str:
    return format_instant(datetime.now(UTC))


def test_missing_values_are_null_and_stay_out_of_summaries(api: TestClient) -> None:
    put(api, entry(0.5), entry("", "2024-01-01T00:01:00Z", power_kw=2, quality="estimated"))
    assert shown(api)[0] == {
        "timestamp": AT,
        "energy_kwh": 0.5,
        "power_kw": None,
        "voltage_v": None,
        "current_a": None,
        "quality": "measured",
    }
    (hour,) = shown(api, resolution="hour")
    assert (hour["energy_kwh"], hour["power_kw"], hour["voltage_v"]) == (0.5, 2, None)
    assert (hour["readings"], hour["qualities"]) == (2, {"estimated": 1, "measured": 1})


def test_numbers_are_answered_with_every_digit(api: TestClient) -> None:
    digits = "123456789.123456789012345678901"
    put(api, entry(digits), entry("0.10", "2024-01-01T00:01:00Z"))
    assert f'"energy_kwh":{digits},' in api.get(PATH).text
    total = api.get(PATH, params={"resolution": "day"}).text
    assert '"energy_kwh":123456789.223456789012345678901,' in total
    assert f'"energy_kwh":{digits},' in api.get(f"{PATH}/history", params={"timestamp": AT}).text


def test_a_newer_created_at_replaces_and_an_older_changes_nothing(api: TestClient) -> None:
    assert effects(put(api, entry(1), created_at="2024-02-01T00:00:00Z")) == {"stored": 1}
    assert effects(put(api, entry(2), created_at="2024-03-01T00:00:00Z")) == {"updated": 1}
    assert effects(put(api, entry(3), created_at="2024-02-15T00:00:00Z")) == {"outdated": 1}
    assert effects(put(api, entry(2.0), params={"created_at": "2024-04-01T00:00:00Z"})) == {"unchanged": 1}
    assert effects(put(api, entry(4, created_at="2024-03-15T00:00:00Z"))) == {"outdated": 1}
    assert effects(put(api, entry(5), created_at="2024-04-01T00:00:00Z")) == {"updated": 1}
    assert [item["energy_kwh"] for item in shown(api)] == [5]


def test_a_redelivered_old_upload_does_not_undo_a_correction(api: TestClient) -> None:
    old = {"readings": [entry(1)], "created_at": "2024-02-01T00:00:00Z"}
    api.put(PATH, json=old)
    put(api, entry(2), created_at="2024-03-01T00:00:00Z")
    assert effects(api.put(PATH, json=old).json()) == {"outdated": 1}
    assert shown(api)[0]["energy_kwh"] == 2
    assert len(history(api)) == 2


def test_the_same_reading_twice_in_one_request_is_stored_once(api: TestClient) -> None:
    assert effects(put(api, entry(1), entry("1.0"))) == {"stored": 1, "unchanged": 1}


def test_csv_may_say_quality_and_created_at(api: TestClient) -> None:
    rows = f"{HEADER.decode().strip()},quality,created_at\n{AT},m,1,,,,substituted,2024-02-01T00:00:00Z\n"
    headers = {"Content-Type": "text/csv"}
    assert effects(api.put(PATH, content=rows, headers=headers).json()) == {"stored": 1}
    assert shown(api)[0]["quality"] == "substituted"
    assert history(api)[0]["created_at"] == "2024-02-01T00:00:00Z"
    assert api.put(PATH, content=HEADER, headers=headers).json()["received"] == 0
    assert api.put("/api/meters/other/readings", content=HEADER, headers=headers).status_code == 200
    assert api.get("/api/meters/other").status_code == 404


TOMORROW = format_instant(datetime.now(UTC) + timedelta(days=2))


@pytest.mark.parametrize(
    ("body", "params", "field"),
    [
        ({"created_at": "2024-02-01T00:00:00Z"}, {"created_at": "2024-02-02T00:00:00Z"}, "created_at"),
        ({"created_at": TOMORROW}, {}, "created_at"),
        ({}, {"created_at": TOMORROW}, "created_at"),
        ({}, {"created_at": "today"}, "created_at"),
        ({"created_at": 7}, {}, "created_at"),
        ({"created_at": ""}, {}, "created_at"),
        ({"readings": [entry(None)]}, {}, "readings.0"),
        ({"readings": [entry(1, quality="fine")]}, {}, "readings.0.quality"),
        ({"readings": [entry(1), entry(2)]}, {}, "readings.1"),
        ({"readings": [entry(1), entry(1, quality="faulty")]}, {}, "readings.1"),
    ],
)
def test_of_a_bad_request_nothing_is_stored(api: TestClient, body: Any, params: Any, field: str) -> None:
    answer = api.put(PATH, json={"readings": [entry()]} | body, params=params)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field)
    assert api.get("/api/meters/m").status_code == 404


def test_the_same_created_at_in_body_and_query_is_no_conflict(api: TestClient) -> None:
    put(api, entry(), created_at="2024-02-01T01:00:00+01:00", params={"created_at": "2024-02-01T00:00:00Z"})
    assert history(api)[0]["created_at"] == "2024-02-01T00:00:00Z"


def test_a_history_lists_every_version_and_who_sent_it(closed: None, api: TestClient) -> None:
    operator = enter(api, Role.OPERATOR)
    key = {"X-API-Key": make_key(api, operator, Role.OPERATOR)["key"]}
    for headers, value, made in ((operator, 1, "2024-02-01"), (key, 2, "2024-03-01"), (key, 3, "2024-02-15")):
        body = {"readings": [entry(value)], "created_at": f"{made}T00:00:00Z"}
        assert api.put(PATH, json=body, headers=headers).status_code == 200
    answer = api.get(f"{PATH}/history", params={"timestamp": AT}, headers=operator).json()
    first, late, current = answer["items"]
    assert (first["energy_kwh"], first["actor"]["kind"], first["actor"]["name"]) == (1, "user", "operator")
    assert parse_instant(first["recorded_at"]) < parse_instant(first["replaced_at"])
    assert first["replaced_at"] == current["recorded_at"]
    assert (late["energy_kwh"], late["outdated"], late["replaced_at"]) == (3, True, None)
    assert (current["energy_kwh"], current["actor"]["kind"], current["replaced_at"]) == (2, "api_key", None)
    assert answer["next_cursor"] is None


def test_a_history_is_paged_and_of_an_unknown_timestamp_empty(api: TestClient) -> None:
    for value in range(5):
        put(api, entry(value), created_at=f"2024-02-0{value + 1}T00:00:00Z")
    seen: list[float] = []
    query: dict[str, Any] = {"timestamp": AT, "limit": 2}
    while True:
        page = api.get(f"{PATH}/history", params=query).json()
        seen += [item["energy_kwh"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [0, 1, 2, 3, 4]
    for other in ("2024-01-01T00:01:00Z", "2023-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z"):
        assert history(api, other) == []
    assert api.get("/api/meters/x/readings/history", params={"timestamp": AT}).status_code == 404
    assert api.get(f"{PATH}/history").status_code == 400
    bad = api.get(f"{PATH}/history", params=query | {"timestamp": "2024-01-01T00:01:00Z"})
    assert bad.json()["code"] == "invalid_cursor"


def test_known_at_shows_what_was_known_across_corrections_and_deletions(api: TestClient) -> None:
    before = now()
    put(api, entry(1), entry(10, "2024-01-01T00:01:00Z"))
    first = now()
    put(api, entry(2))
    second = now()
    whole = {"start": "2024-01-01T00:00:00Z", "end": "2024-01-02T00:00:00Z"}
    assert api.delete(PATH, params=whole).json() == {"deleted": 2}
    third = now()
    put(api, entry(3))
    values = {
        at: [item["energy_kwh"] for item in shown(api, known_at=at)] for at in (before, first, second, third)
    }
    assert values == {before: [], first: [1, 10], second: [2, 10], third: []}
    sums = {at: [item["energy_kwh"] for item in shown(api, known_at=at, resolution="day")] for at in values}
    assert sums == {before: [], first: [11], second: [12], third: []}
    assert [item["energy_kwh"] for item in shown(api)] == [3]
    future = api.get(PATH, params={"known_at": TOMORROW})
    assert (future.status_code, future.json()["details"][0]["field"]) == (400, "known_at")


def test_a_deletion_is_a_version_and_older_readings_stay_deleted(api: TestClient) -> None:
    put(api, entry(1), entry(2, "2024-01-01T01:00:00Z"), created_at="2024-02-01T00:00:00Z")
    part = {"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T01:00:00Z"}
    assert api.delete(PATH, params=part).json() == {"deleted": 1}
    assert api.delete(PATH, params=part).json() == {"deleted": 0}
    assert effects(put(api, entry(1), created_at="2024-02-01T00:00:00Z")) == {"outdated": 1}
    assert [item["energy_kwh"] for item in shown(api)] == [2]
    first, deletion = history(api)
    assert (first["deleted"], first["energy_kwh"]) == (False, 1)
    assert (deletion["deleted"], deletion["energy_kwh"], deletion["quality"]) == (True, None, None)
    assert effects(put(api, entry(5))) == {"stored": 1}
    assert [version["deleted"] for version in history(api)] == [False, True, False]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"start": AT}, "end"),
        ({"end": AT}, "start"),
        ({"start": AT, "end": AT}, "end"),
        ({"start": AT, "end": "2023-01-01T00:00:00Z"}, "end"),
        ({"start": "x", "end": AT}, "start"),
    ],
)
def test_a_bad_range_is_not_deleted(api: TestClient, params: dict[str, str], field: str) -> None:
    put(api, entry())
    answer = api.delete(PATH, params=params)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field)
    assert len(shown(api)) == 1


def test_what_has_no_readings_cannot_lose_them(api: TestClient) -> None:
    whole = {"start": AT, "end": "2024-01-02T00:00:00Z"}
    assert api.delete(PATH, params=whole).json()["code"] == "meter_not_found"
    stores().meters.register(Meter("123", MeterKind.SIMULATED, datetime(2024, 1, 1, tzinfo=UTC)))
    refused = api.delete("/api/meters/123/readings", params=whole)
    assert (refused.status_code, refused.json()["code"]) == (409, "meter_is_simulated")


def test_the_body_of_an_upload_may_say_null_everywhere_but_for_the_timestamp(api: TestClient) -> None:
    body = json.dumps({"readings": [entry(1, quality=None, created_at=None)], "created_at": None})
    answer = api.put(PATH, content=body, headers={"Content-Type": "application/json"})
    assert effects(answer.json()) == {"stored": 1}
