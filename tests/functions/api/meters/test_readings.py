"""Meters and their readings over HTTP."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from domain.meters.csv_format import HEADER
from domain.meters.readings import Meter, MeterKind
from infra.stores import stores

READING = {
    "timestamp": "2024-01-01T00:00:00Z",
    "energy_kwh": 0.1,
    "power_kw": 6,
    "voltage_v": 230.5,
    "current_a": -0.5,
}
ROW = "2024-01-01T00:00:00Z,m,0.1,6,230.5,-0.5"
MIB = 1024 * 1024


def put(api: TestClient, body: Any, kind: str = "application/json", meter: str = "m") -> Any:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return api.put(f"/api/meters/{meter}/readings", content=content, headers={"Content-Type": kind})


def csv(*rows: str) -> str:
    return HEADER.decode() + "".join(f"{row}\n" for row in rows)


def counts(**effects: int) -> dict[str, int]:
    return (
        dict.fromkeys(("stored", "updated", "unchanged", "outdated"), 0)
        | effects
        | {"received": sum(effects.values())}
    )


def readings(api: TestClient, meter: str = "m", **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/api/meters/{meter}/readings", params=query)
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_json_and_csv_store_the_same(api: TestClient) -> None:
    assert put(api, {"readings": [READING]}).json() == counts(stored=1)
    assert put(api, csv(ROW), "text/csv; charset=utf-8").json() == counts(unchanged=1)
    assert put(api, csv(ROW.replace("0.1", "0.2")), "text/csv").json() == counts(updated=1)
    assert readings(api) == [READING | {"energy_kwh": 0.2, "quality": "measured"}]


def test_a_day_of_minutes_computed_with_doubles_is_taken_in_both_forms(api: TestClient) -> None:
    watts = [(minute * 37 % 1440) / 7 for minute in range(1440)]
    values = [(watt / 60 / 1000, watt / 1e9, 230 + watt / 1000, -watt / 230) for watt in watts]
    stamps = [f"2024-01-01T{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(1440)]
    rows = [",".join([at, "m", *map(repr, row)]) for at, row in zip(stamps, values, strict=True)]
    entries = [dict(zip(READING, (at, *row), strict=True)) for at, row in zip(stamps, values, strict=True)]
    assert put(api, csv(*rows), "text/csv").json() == counts(stored=1440)
    assert put(api, {"readings": entries}).json() == counts(unchanged=1440)
    assert readings(api, limit=1440) == [entry | {"quality": "measured"} for entry in entries]


def test_the_same_number_in_another_spelling_is_no_update(api: TestClient) -> None:
    assert put(api, csv(ROW), "text/csv").json() == counts(stored=1)
    assert put(api, csv(ROW.replace("230.5", "230.50")), "text/csv").json() == counts(unchanged=1)


def test_a_reading_of_the_far_future_is_refused(api: TestClient) -> None:
    answer = put(api, {"readings": [READING | {"timestamp": "2099-01-01T00:00:00Z"}]})
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "readings.0.timestamp")
    assert api.get("/api/meters/m").status_code == 404


def test_two_values_for_one_timestamp_are_refused_with_both_lines(api: TestClient) -> None:
    answer = put(api, csv(ROW, ROW.replace("0.1", "0.2")), "text/csv")
    assert answer.status_code == 400
    assert (
        answer.json()["message"]
        == "line 3: must not differ from line 2, which has the same timestamp and created_at"
    )
    assert api.get("/api/meters/m").status_code == 404


def test_the_first_upload_registers_the_meter(api: TestClient) -> None:
    assert api.get("/api/meters/m").status_code == 404
    assert api.get("/api/meters/m/readings").json()["code"] == "meter_not_found"
    put(api, {"readings": [READING]})
    meter = api.get("/api/meters/m").json()
    assert (meter["smart_meter_id"], meter["kind"]) == ("m", "metered")


def test_meters_are_listed_by_id_and_paged(api: TestClient) -> None:
    for meter in ("b", "a", "c"):
        put(api, {"readings": [READING]}, meter=meter)
    first = api.get("/api/meters", params={"limit": "2"}).json()
    second = api.get("/api/meters", params={"limit": "2", "cursor": first["next_cursor"]}).json()
    assert [item["smart_meter_id"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        ({"readings": [READING, READING | {"energy_kwh": "x"}]}, "application/json", "readings.1.energy_kwh"),
        ({"readings": [READING, {}]}, "application/json", "readings.1.timestamp"),
        ({"readings": [READING], "more": 1}, "application/json", "more"),
        ({"readings": {}}, "application/json", "readings"),
        ({"readings": []}, "application/json", "readings"),
        ({}, "application/json", "readings"),
        ([], "application/json", "body"),
        ("", "application/json", "body"),
        ("{", "application/json", "body"),
        (b"\xff\xfe", "application/json", "body"),
        ("[" * 100_000, "application/json", "body"),
        ('{"readings": [{"energy_kwh": ' + "9" * 5000 + "}]}", "application/json", "readings.0.timestamp"),
        (
            json.dumps({"readings": [READING]}).replace("0.1", "NaN"),
            "application/json",
            "readings.0.energy_kwh",
        ),
        (
            json.dumps({"readings": [READING]}).replace("0.1", "1e999"),
            "application/json",
            "readings.0.energy_kwh",
        ),
        (
            json.dumps({"readings": [READING]}).replace("0.1", "1e" + "9" * 30),
            "application/json",
            "readings.0.energy_kwh",
        ),
        (csv(ROW, ROW.replace("230.5", "high")), "text/csv", "line 3"),
        (csv(ROW, ROW.replace(",m,", ",n,")), "text/csv", "line 3"),
        (csv(ROW).encode() + b"\xff", "text/csv", "line 3"),
        (csv(ROW, "\0"), "text/csv", "line 3"),
        ("", "text/csv", "line 1"),
        (csv(ROW), "application/x-www-form-urlencoded", "content-type"),
        (csv(ROW), "", "content-type"),
    ],
)
def test_of_a_bad_upload_nothing_is_stored(api: TestClient, body: Any, kind: str, place: str) -> None:
    answer = put(api, body, kind)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["details"][0]["field"] == place
    assert api.get("/api/meters/m").status_code == 404


@pytest.mark.parametrize("meter", ["=1", "-1", "a%0A", "a.b", "x" * 65])
def test_a_bad_meter_id_is_a_400(api: TestClient, meter: str) -> None:
    for answer in (
        put(api, {"readings": [READING]}, meter=meter),
        api.get(f"/api/meters/{meter}"),
        api.get(f"/api/meters/{meter}/readings"),
        api.get(f"/api/export/history/{meter}"),
    ):
        assert answer.status_code == 400
        assert answer.json()["details"][0]["field"] == "smart_meter_id"


def test_uploads_may_have_five_mebibytes_and_other_bodies_one(api: TestClient) -> None:
    row = ROW + "0" * 10 + "\n"
    longest = csv() + row * ((5 * MIB - len(csv())) // len(row))
    answer = put(api, longest, "text/csv").json()
    assert (answer["stored"], answer["unchanged"]) == (1, answer["received"] - 1)
    too_long = put(api, longest + row * 2, "text/csv")
    assert (too_long.status_code, too_long.json()["code"]) == (413, "payload_too_large")
    assert api.post("/api/export/csv", content=b" " * (MIB + 1)).status_code == 413


def test_a_simulated_meter_takes_no_readings_and_shows_its_own(api: TestClient) -> None:
    stores().meters.register(Meter("123", MeterKind.SIMULATED, datetime(2024, 1, 1, tzinfo=UTC)))
    refused = put(api, {"readings": [READING]}, meter="123")
    assert (refused.status_code, refused.json()["code"]) == (409, "meter_is_simulated")
    shown = readings(api, "123", start="2024-01-01T00:00:30Z", end="2024-01-01T00:03:00Z")
    assert [reading["timestamp"] for reading in shown] == ["2024-01-01T00:01:00Z", "2024-01-01T00:02:00Z"]


def test_readings_are_paged_over_hours_in_the_order_of_time(api: TestClient) -> None:
    stamps = [f"2024-01-01T{hour:02}:{minute:02}:00Z" for hour in range(5) for minute in (0, 20, 40)]
    put(api, {"readings": [READING | {"timestamp": at} for at in reversed(stamps)]})
    seen: list[str] = []
    query = {"start": "2024-01-01T00:20:00Z", "end": "2024-01-01T04:40:00Z", "limit": "4"}
    while True:
        page = api.get("/api/meters/m/readings", params=query).json()
        seen += [reading["timestamp"] for reading in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == stamps[1:-1]


def test_hours_and_days_sum_energy_and_take_the_mean_of_the_rest(api: TestClient) -> None:
    times = ["2024-01-01T00:00:00Z", "2024-01-01T00:30:00Z", "2024-01-01T01:00:00Z", "2024-01-02T00:00:00Z"]
    put(
        api,
        {"readings": [READING | {"timestamp": at, "power_kw": index} for index, at in enumerate(times)]},
    )
    hours = readings(api, resolution="hour")
    assert [
        (hour["timestamp"], hour["energy_kwh"], hour["power_kw"], hour["readings"]) for hour in hours
    ] == [
        ("2024-01-01T00:00:00Z", 0.2, 0.5, 2),
        ("2024-01-01T01:00:00Z", 0.1, 2, 1),
        ("2024-01-02T00:00:00Z", 0.1, 3, 1),
    ]
    page = api.get("/api/meters/m/readings", params={"resolution": "day", "limit": "1"}).json()
    assert [(day["energy_kwh"], day["power_kw"], day["readings"]) for day in page["items"]] == [(0.3, 1, 3)]
    rest = readings(api, resolution="day", limit="1", cursor=page["next_cursor"])
    assert [day["timestamp"] for day in rest] == ["2024-01-02T00:00:00Z"]


@pytest.mark.slow
def test_days_of_many_readings_come_in_short_answers_and_none_is_missing(api: TestClient) -> None:
    stores().meters.register(Meter("123", MeterKind.SIMULATED, datetime(2024, 1, 1, tzinfo=UTC)))
    query = {
        "start": "2023-01-01T12:00:00Z",
        "end": "2024-01-01T00:00:00Z",
        "resolution": "day",
        "limit": "1440",
    }
    pages = [api.get("/api/meters/123/readings", params=query).json()]
    while cursor := pages[-1]["next_cursor"]:
        pages.append(api.get("/api/meters/123/readings", params=query | {"cursor": cursor}).json())
    counts = [day["readings"] for page in pages for day in page["items"]]
    assert counts == [720] + [1440] * 364
    assert max(sum(day["readings"] for day in page["items"]) for page in pages) < 250_000


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "now"}, "start"),
        ({"start": "2024-01-02T00:00:00Z", "end": "2024-01-01T00:00:00Z"}, "end"),
        ({"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}, "end"),
        ({"resolution": "week"}, "resolution"),
        ({"limit": "0"}, "limit"),
        ({"limit": "1441"}, "limit"),
        ({"limit": "x"}, "limit"),
    ],
)
def test_a_bad_question_is_a_400_that_names_the_field(
    api: TestClient, query: dict[str, str], field: str
) -> None:
    put(api, {"readings": [READING]})
    answer = api.get("/api/meters/m/readings", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["details"][0]["field"] == field


@pytest.mark.parametrize("cursor", ["x", "é", "", "AAAA", "x" * 1024])
def test_a_cursor_that_nobody_gave_out_is_refused(api: TestClient, cursor: str) -> None:
    put(api, {"readings": [READING]})
    for path in ("/api/meters", "/api/meters/m/readings", "/api/export/history/m"):
        answer = api.get(path, params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def test_a_cursor_belongs_to_the_question_it_was_given_for(api: TestClient) -> None:
    put(api, {"readings": [READING, READING | {"timestamp": "2024-01-01T00:01:00Z"}]})
    cursor = api.get("/api/meters/m/readings", params={"limit": "1"}).json()["next_cursor"]
    answer = api.get("/api/meters/m/readings", params={"cursor": cursor, "resolution": "hour"})
    assert answer.json()["code"] == "invalid_cursor"


def test_the_document_has_no_422_for_these_routes(api: TestClient) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    answers = [
        set(operation["responses"])
        for path, operations in paths.items()
        if path.startswith(("/api/meters", "/api/export"))
        for operation in operations.values()
    ]
    assert len(answers) == 15
    assert all("400" in statuses for statuses in answers)
    # The two that take an Idempotency-Key, which may have been used for something else.
    assert sum("422" in statuses for statuses in answers) == 2
