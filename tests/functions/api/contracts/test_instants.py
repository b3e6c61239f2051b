"""Every way to write an instant or a date, with the one outcome it has."""

from fastapi.testclient import TestClient

from tests.functions.api.calls import create, event, supply

ACCEPTED = {
    "2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00": "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00+00:00": "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00-00:00": "2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00+05:30": "2023-12-31T18:30:00Z",
    "2024-01-01T00:00:00-12:00": "2024-01-01T12:00:00Z",
    "2024-01-01T00:00:00+23:59": "2023-12-31T00:01:00Z",
    "2024-01-01T00:00:00.1Z": "2024-01-01T00:00:00.100000Z",
    "2024-01-01T00:00:00.12Z": "2024-01-01T00:00:00.120000Z",
    "2024-01-01T00:00:00.123Z": "2024-01-01T00:00:00.123000Z",
    "2024-01-01T00:00:00.1234": "2024-01-01T00:00:00.123400Z",
    "2024-01-01T00:00:00.12345+01:00": "2023-12-31T23:00:00.123450Z",
    "2024-01-01T00:00:00.123456Z": "2024-01-01T00:00:00.123456Z",
    "2024-01-01T00:00:00.000000Z": "2024-01-01T00:00:00Z",
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
    "2000-01-01T00:00:00Z": "2000-01-01T00:00:00Z",
    "1999-12-31T23:00:00-01:00": "2000-01-01T00:00:00Z",
    "2100-12-31T23:59:59.999999Z": "2100-12-31T23:59:59.999999Z",
    "2101-01-01T00:59:59+01:00": "2100-12-31T23:59:59Z",
}

REFUSED: list[object] = [
    # Not a JSON string.
    *(1704067200, 1704067200.5, -1, 0, True, False, None, [], {}, ["2024-01-01T00:00:00Z"]),
    # Other forms.
    *(
        "",
        "now",
        "1704067200",
        "20240101T000000Z",
        "2024-01-01",
        "2024-W01-1T00:00:00Z",
        "2024-001T00:00:00Z",
    ),
    *(
        "2024-01-01T00:00Z",
        "2024-01-01T00Z",
        "24-01-01T00:00:00Z",
        "2024-1-1T00:00:00Z",
        "+2024-01-01T00:00:00Z",
    ),
    *("2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "2024-01-01 00:00:00Z", "2024-01-01_00:00:00Z"),
    *(" 2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z ", "2024-01-01T00:00:00Z\n", "2024-01-01T00:00:00 Z"),
    "2024-01-01T00:00:00Z\0",
    # Fractions: seven digits would be cut off and make two instants equal.
    *("2024-01-01T00:00:00.1234567Z", "2024-01-01T00:00:00.0000000Z", "2024-01-01T00:00:00.123456789Z"),
    *("2024-01-01T00:00:00,5Z", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.5.5Z"),
    # Offsets.
    *("2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+14:60", "2024-01-01T00:00:00-99:99"),
    *("2024-01-01T00:00:00+0100", "2024-01-01T00:00:00+01", "2024-01-01T00:00:00+1:00"),
    *("2024-01-01T00:00:00+01:00:00", "2024-01-01T00:00:00Z+01:00", "2024-01-01T00:00:00 Europe/Berlin"),
    "2024-01-01T00:00:00\u221201:00",
    # Times and days that do not exist.
    *("2024-01-01T23:59:60Z", "2016-12-31T23:59:60Z", "2024-01-01T24:00:00Z", "2024-01-01T25:00:00Z"),
    *("2024-01-01T00:60:00Z", "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z"),
    *("2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z", "2024-01-32T00:00:00Z"),
    # Outside the years 2000 to 2100 after conversion.
    *("1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00+00:01", "2101-01-01T00:00:00Z"),
    *("2100-12-31T23:59:59-00:01", "1970-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"),
    # Digits that are none of ASCII's, which int() reads.
    *("\u0662\u0660\u0662\u0664-01-01T00:00:00Z", "\uff12\uff10\uff12\uff14-01-01T00:00:00Z"),
    *("2024-01-01T00:00:0\u0660Z", "2024-01-01T00:00:00.\u0661Z"),
]

DATES_REFUSED: list[object] = [
    *(
        20240101,
        19723.0,
        True,
        None,
        [],
        {},
        "",
        "20240101",
        "1704067200",
        "2024-1-1",
        "24-01-01",
        "2024-W01-1",
    ),
    *("2024-01-01T00:00:00Z", "2024-01-01T00:00:00", "2024-001", "01.01.2024", "01/01/2024", "2024/01/01"),
    *(" 2024-01-01", "2024-01-01 ", "2024-01-01\n", "2024-01-01\0", "2024-01-01Z", "-2024-01-01"),
    *("2024-02-30", "2023-02-29", "2024-13-01", "2024-00-01", "2024-01-00", "0000-01-01", "10000-01-01"),
    *("\u0662\u0660\u0662\u0664-01-01", "2024-01-0\uff11", "2024\u201301\u201301"),
]


def test_every_written_instant_has_the_outcome_pinned_here(api: TestClient) -> None:
    create(api)
    for written, printed in ACCEPTED.items():
        answer = api.post("/event?dry_run=true", json=event(created_at=written))
        assert (answer.status_code, answer.json().get("created_at")) == (200, printed), written

    for refused in REFUSED:
        answer = api.post("/event", json=event(created_at=refused))
        assert answer.status_code == 422, refused
        assert [detail["field"] for detail in answer.json()["details"]] == ["created_at"], refused

    assert supply(api)["start"] is None


def test_a_contract_reads_instants_as_an_event_does(api: TestClient) -> None:
    body = {"components": ["energy_supply"]}
    for number, (written, printed) in enumerate(ACCEPTED.items()):
        contract = body | {"contract_number": str(number), "created_at": written}
        assert api.post("/contract", json=contract).json()["created_at"] == printed
        assert api.get(f"/contract/{number}").json()["created_at"] == printed

    for refused in REFUSED:
        if refused is None:
            continue  # a contract without created_at is created now
        answer = api.post("/contract", json=body | {"contract_number": "new", "created_at": refused})
        assert answer.status_code == 422, refused
        assert answer.json()["details"][0]["field"] == "created_at"
    assert api.get("/contract/new").status_code == 404


def test_every_written_date_has_the_outcome_pinned_here(api: TestClient) -> None:
    create(api)
    for written in ("2024-02-29", "0001-01-01", "9999-12-31", "1999-12-31"):
        answer = api.post("/event?dry_run=true", json=event(date=written))
        assert (answer.status_code, answer.json().get("date")) == (200, written)

    for refused in DATES_REFUSED:
        answer = api.post("/event", json=event(date=refused))
        assert answer.status_code == 422, refused
        assert [detail["field"] for detail in answer.json()["details"]] == ["date"], refused

    assert supply(api)["start"] is None


def test_instants_that_differ_by_a_microsecond_stay_apart_and_equal_ones_equal(api: TestClient) -> None:
    create(api)
    outcomes = [
        api.post("/event", json=event(created_at=created_at)).json()["code"]
        for created_at in (
            "2024-01-01T00:00:00Z",
            "2024-01-01T01:00:00+01:00",
            "2024-01-01T00:00:00.000001Z",
            "2024-01-01T00:00:00.000001",
            "2024-01-01T00:00:00.00001Z",
        )
    ]

    assert outcomes == ["accepted", "stale_start", "accepted", "stale_start", "accepted"]
