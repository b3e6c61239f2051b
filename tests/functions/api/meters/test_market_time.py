"""Local periods, completeness and settings of meters over HTTP."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

import domain.meters.completeness
from domain.meters.readings import Meter, MeterKind
from infra.stores import stores
from tests.functions.api.meters.test_readings import put

SPRING = ("2024-03-29T00:00:00Z", "2024-04-02T00:00:00Z")
AUTUMN = ("2024-10-26T00:00:00Z", "2024-10-29T00:00:00Z")


def instants(start: str, end: str, minutes: int = 15) -> list[str]:
    at, limit = datetime.fromisoformat(start), datetime.fromisoformat(end)
    found = []
    while at < limit:
        found.append(f"{at:%Y-%m-%dT%H:%M:%SZ}")
        at += timedelta(minutes=minutes)
    return found


def upload(api: TestClient, timestamps: list[str], meter: str = "m") -> None:
    sent = [{"timestamp": at, "energy_kwh": f"0.{index + 1:05}"} for index, at in enumerate(timestamps)]
    assert put(api, {"readings": sent}, meter=meter).status_code == 200


def settings(api: TestClient, meter: str = "m", **sent: Any) -> Any:
    return api.put(f"/api/meters/{meter}", json=sent)


def periods(api: TestClient, meter: str = "m", **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = api.get(f"/api/meters/{meter}/readings", params=query | cursor)
        assert answer.status_code == 200, answer.text
        found += answer.json(parse_float=Decimal)["items"]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


def completeness(api: TestClient, meter: str = "m", **query: str) -> Any:
    return api.get(f"/api/meters/{meter}/completeness", params=query)


@pytest.mark.parametrize(
    ("span", "day", "local_start", "quarters"),
    [
        (SPRING, "2024-03-30T23:00:00Z", "2024-03-31T00:00:00+01:00", 92),
        (AUTUMN, "2024-10-26T22:00:00Z", "2024-10-27T00:00:00+02:00", 100),
    ],
)
def test_the_days_of_berlin_s_clock_changes_have_92_and_100_quarter_hours(
    api: TestClient, span: tuple[str, str], day: str, local_start: str, quarters: int
) -> None:
    upload(api, instants(*span))
    days = {item["timestamp"]: item for item in periods(api, resolution="day", tz="Europe/Berlin")}
    assert (days[day]["local_start"], days[day]["readings"]) == (local_start, quarters)
    by_quarter = periods(api, resolution="quarter_hour", tz="Europe/Berlin", limit=77)
    assert [item["timestamp"] for item in by_quarter] == instants(*span)
    assert sum(item["local_start"][:10] == local_start[:10] for item in by_quarter) == quarters


@pytest.mark.slow
def test_readings_quarters_hours_days_and_months_add_up_digit_for_digit(api: TestClient) -> None:
    upload(api, instants(*SPRING, minutes=7))
    cut = {"start": "2024-03-29T07:03:00Z", "end": "2024-04-01T19:59:59Z"}
    raw = periods(api, resolution="raw", limit=1440, **cut)
    for name in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"):
        for resolution in ("quarter_hour", "hour", "day", "month"):
            found = periods(api, resolution=resolution, tz=name, limit=300, **cut)
            assert sum(item["energy_kwh"] for item in found) == sum(item["energy_kwh"] for item in raw)
            assert sum(item["readings"] for item in found) == len(raw)
            assert [item["timestamp"] for item in found] == sorted(item["timestamp"] for item in found)


def test_a_period_shows_its_own_begin_also_where_the_start_cuts_it(api: TestClient) -> None:
    upload(api, instants(*SPRING))
    (month, _) = periods(api, resolution="month", tz="Europe/Berlin", start="2024-03-30T12:00:00Z")
    assert (month["timestamp"], month["local_start"]) == ("2024-02-29T23:00:00Z", "2024-03-01T00:00:00+01:00")
    assert month["readings"] == 34 * 4


def test_the_zone_is_that_of_the_question_else_of_the_meter_else_utc(api: TestClient) -> None:
    upload(api, instants("2024-01-01T00:00:00Z", "2024-01-01T01:00:00Z"))
    query = {"resolution": "day"}
    assert periods(api, **query)[0]["local_start"] == "2024-01-01T00:00:00+00:00"
    assert settings(api, timezone="Asia/Kathmandu").json()["timezone"] == "Asia/Kathmandu"
    assert periods(api, **query)[0]["local_start"] == "2024-01-01T00:00:00+05:45"
    assert periods(api, **query, tz="America/New_York")[0]["local_start"] == "2023-12-31T00:00:00-05:00"


def test_a_cursor_belongs_to_the_zone_it_was_given_for(api: TestClient) -> None:
    upload(api, instants(*SPRING))
    query = {"resolution": "day", "limit": "1"}
    cursor = api.get("/api/meters/m/readings", params=query).json()["next_cursor"]
    settings(api, timezone="Europe/Berlin")
    answer = api.get("/api/meters/m/readings", params=query | {"cursor": cursor})
    assert answer.json()["code"] == "invalid_cursor"


@pytest.mark.parametrize("name", ["", "Berlin", "europe/berlin", "../zones", "x" * 9000, "right/UTC"])
def test_an_unknown_zone_is_a_400_that_names_the_field(api: TestClient, name: str) -> None:
    upload(api, instants(*SPRING))
    days = {"from": "2024-01-01", "to": "2024-01-02"}
    for answer, field in (
        (api.get("/api/meters/m/readings", params={"tz": name}), "tz"),
        (completeness(api, **days, tz=name), "tz"),
        (settings(api, timezone=name), "timezone"),
    ):
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field)
        assert len(answer.text) < 1000


def test_a_zone_whose_clock_was_changed_off_the_quarter_hours_is_a_clear_400_for_that_time_only(
    api: TestClient,
) -> None:
    upload(api, instants("2010-11-06T00:00:00Z", "2010-11-08T00:00:00Z"))
    upload(api, instants("2012-11-06T00:00:00Z", "2012-11-06T06:00:00Z"))
    query = {"resolution": "day", "tz": "America/St_Johns"}
    answer = api.get("/api/meters/m/readings", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "time_zone_unsupported")
    assert "America/St_Johns" in answer.json()["message"]
    assert [item["readings"] for item in periods(api, **query, start="2012-01-01T00:00:00Z")] == [14, 10]


def test_settings_register_a_meter_and_what_is_not_named_stays(api: TestClient) -> None:
    first = settings(api, interval_seconds=900).json()
    assert (first["kind"], first["interval_seconds"], first["timezone"]) == ("metered", 900, None)
    assert settings(api, timezone="Europe/Berlin").json() == first | {"timezone": "Europe/Berlin"}
    assert settings(api).json() == first | {"timezone": "Europe/Berlin"}
    assert settings(api, interval_seconds=None).json()["interval_seconds"] is None
    shown = first | {"timezone": "Europe/Berlin", "interval_seconds": None}
    assert api.get("/api/meters/m").json() == shown
    assert api.get("/api/meters").json()["items"] == [shown]


@pytest.mark.slow
def test_the_list_shows_settings_and_keeps_its_order_over_pages(api: TestClient) -> None:
    names = [f"m{index:03}" for index in range(130)]
    for name in names:
        settings(api, name, interval_seconds=300)
    first = api.get("/api/meters", params={"limit": "120"}).json()
    rest = api.get("/api/meters", params={"limit": "120", "cursor": first["next_cursor"]}).json()
    shown = [*first["items"], *rest["items"]]
    assert [meter["smart_meter_id"] for meter in shown] == names
    assert {meter["interval_seconds"] for meter in shown} == {300}


@pytest.mark.parametrize(
    "sent",
    [
        {"interval_seconds": 61},
        {"interval_seconds": "900"},
        {"interval_seconds": 900.5},
        {"timezone": 1},
        {"kind": "x"},
    ],
)
def test_bad_settings_are_a_400_and_register_nothing(api: TestClient, sent: dict[str, Any]) -> None:
    assert settings(api, **sent).status_code == 400
    assert api.get("/api/meters/m").status_code == 404


def test_completeness_counts_slots_of_the_grid_and_a_surplus_hides_no_gap(api: TestClient) -> None:
    settings(api, interval_seconds=900, timezone="Europe/Berlin")
    slots = instants("2024-03-30T23:00:00Z", "2024-04-01T22:00:00Z")
    missing = {"2024-03-31T05:00:00Z", "2024-03-31T05:15:00Z", "2024-03-31T21:45:00Z", "2024-03-31T22:00:00Z"}
    upload(api, sorted({*slots} - missing | {"2024-03-31T05:01:00Z", "2024-03-31T05:15:01Z"}))
    found = completeness(api, **{"from": "2024-03-31", "to": "2024-04-02"}).json()
    assert found == {
        "smart_meter_id": "m",
        "timezone": "Europe/Berlin",
        "interval_seconds": 900,
        "expected": 188,
        "present": 184,
        "missing": 4,
        "surplus": 2,
        "days": [
            {"date": "2024-03-31", "expected": 92, "present": 89, "missing": 3, "surplus": 2},
            {"date": "2024-04-01", "expected": 96, "present": 95, "missing": 1, "surplus": 0},
        ],
        "gaps": [
            {"start": "2024-03-31T05:00:00Z", "end": "2024-03-31T05:30:00Z"},
            {"start": "2024-03-31T21:45:00Z", "end": "2024-03-31T22:15:00Z"},
        ],
    }


def test_slots_after_now_are_not_expected_and_a_day_that_was_left_out_is_not_listed(api: TestClient) -> None:
    settings(api, interval_seconds=3600)
    now = datetime.now(UTC)
    days = {"from": f"{now:%Y-%m-%d}", "to": f"{now + timedelta(days=3):%Y-%m-%d}"}
    found = completeness(api, **days).json()
    assert [day["expected"] for day in found["days"]] == [found["expected"], 0, 0]
    assert 1 <= found["expected"] <= 24
    assert len(found["gaps"]) == 1
    left_out = completeness(api, **{"from": "2011-12-29", "to": "2012-01-01"}, tz="Pacific/Apia").json()
    assert [(day["date"], day["expected"]) for day in left_out["days"]] == [
        ("2011-12-29", 24),
        ("2011-12-31", 24),
    ]


def test_the_simulated_meter_is_complete(api: TestClient) -> None:
    stores().meters.register(Meter("123", MeterKind.SIMULATED, datetime(2024, 1, 1, tzinfo=UTC)))
    assert api.get("/api/meters/123").json()["interval_seconds"] == 60
    found = completeness(api, "123", **{"from": "2023-01-01", "to": "2024-01-01"}, tz="Europe/Berlin").json()
    assert (found["expected"], found["present"], found["gaps"]) == (365 * 1440, 365 * 1440, [])
    assert {day["expected"] for day in found["days"]} == {23 * 60, 24 * 60, 25 * 60}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "2024-01-01", "to": "2024-01-01"}, "to"),
        ({"from": "2024-01-02", "to": "2024-01-01"}, "to"),
        ({"from": "2024-01-01", "to": "2025-01-02"}, "to"),
        ({"from": "1", "to": "2024-01-01"}, "from"),
        ({"to": "2024-01-01"}, "from"),
        ({"from": "2024-01-01T00:00:00Z", "to": "2024-01-02"}, "from"),
        ({"from": "0001-01-01", "to": "0001-01-02", "tz": "Asia/Tokyo"}, "from"),
        ({"from": "1999-12-31", "to": "2000-01-02"}, "from"),
        ({"from": "2100-12-31", "to": "2101-01-02"}, "to"),
        ({"from": "9999-12-30", "to": "9999-12-31", "tz": "America/New_York"}, "to"),
    ],
)
def test_bad_days_are_a_400_that_names_the_field(api: TestClient, query: dict[str, str], field: str) -> None:
    settings(api, interval_seconds=60)
    answer = completeness(api, **query)
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, field)


@pytest.mark.parametrize("days", [("2000-01-01", "2000-01-02"), ("2100-12-31", "2101-01-01")])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_the_last_day_that_readings_may_have_are_days(
    api: TestClient, days: tuple[str, str], zone: str
) -> None:
    settings(api, interval_seconds=3600)
    found = completeness(api, **{"from": days[0], "to": days[1]}, tz=zone).json()
    assert [day["date"] for day in found["days"]] == [days[0]]


def test_completeness_needs_a_meter_and_its_interval(api: TestClient) -> None:
    days = {"from": "2024-01-01", "to": "2024-12-31"}
    assert completeness(api, **days).status_code == 404
    settings(api)
    answer = completeness(api, **days)
    assert (answer.status_code, answer.json()["code"]) == (409, "interval_unknown")


def test_more_gaps_than_an_answer_holds_are_refused_and_fewer_days_are_answered(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain.meters.completeness, "MAX_GAPS", 24)
    settings(api, interval_seconds=1800)
    upload(api, instants("2024-02-01T00:00:00Z", "2024-02-03T00:00:00Z", minutes=60))
    answer = completeness(api, **{"from": "2024-02-01", "to": "2024-02-03"})
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_gaps")
    found = completeness(api, **{"from": "2024-02-01", "to": "2024-02-02"}).json()
    assert (found["missing"], len(found["gaps"])) == (24, 24)
