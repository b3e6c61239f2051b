"""Meters: curves with gaps, the calendar, uploads, exports, and the history of a reading."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.conftest import OpenConsole, Service

HEADER = "timestamp,smart_meter_id,energy_kwh,power_kw,voltage_v,current_a\n"
METER = "seen"
GAP = range(40, 60)


@pytest.fixture(scope="module")
def meter(opened: Service) -> str:
    """A meter of quarter hours in Berlin with readings of 30 and 31 March 2024, when the clock changed, and one gap."""
    setting = {"interval_seconds": 900, "timezone": "Europe/Berlin"}
    assert opened.api.put(f"/api/meters/{METER}", json=setting).status_code == 200
    first = datetime(2024, 3, 29, 23, tzinfo=UTC)
    readings = [
        {"timestamp": (first + timedelta(minutes=15 * step)).isoformat(), "energy_kwh": 0.25, "power_kw": 1}
        for step in range(96 + 92)
        if step not in GAP
    ]
    sent = opened.api.put(f"/api/meters/{METER}/readings", json={"readings": readings})
    assert sent.json()["stored"] == 168
    return METER


def test_a_gap_is_marked_in_the_curve_and_in_the_calendar(
    opened: Service, console: OpenConsole, meter: str
) -> None:
    page = console(opened)
    page.open(f"/meters/{meter}?date=2024-03-30")

    expect(page.page.locator("svg .gap")).to_have_count(1)
    expect(page.card("Readings")).to_contain_text("19 kWh in sum. Red bands: 1 gap without readings.")
    expect(page.card("Completeness")).to_contain_text("76 of 96 readings, 20 missing")
    (gap,) = page.rows("Gaps")
    assert gap == ["30 Mar 2024, 10:00:00 CET", "30 Mar 2024, 15:00:00 CET"]

    page.page.get_by_role("button", name="Month", exact=True).click()
    page.settle()
    day = page.page.get_by_role("button", name="31 Mar 2024: complete, 92 of 92 readings")
    expect(page.page.get_by_role("button", name="30 Mar 2024: incomplete, 76 of 96 readings")).to_be_visible()
    day.click()
    expect(page.card("Completeness")).to_contain_text("92 of 92 readings, 0 missing")


def test_arrow_keys_read_the_curve(opened: Service, console: OpenConsole, meter: str) -> None:
    page = console(opened)
    page.open(f"/meters/{meter}?date=2024-03-31&value=power_kw")
    curve = page.page.get_by_role("slider", name="Power in kW")
    curve.press("Home")
    expect(page.page.get_by_role("tooltip")).to_contain_text("31 Mar 2024, 00:00:00 CET")
    for _ in range(8):
        curve.press("ArrowRight")
    # From two o'clock on it was summer time.
    expect(page.page.get_by_role("tooltip")).to_contain_text("31 Mar 2024, 03:00:00 CEST")
    assert "Power: 1 kW" in (curve.get_attribute("aria-valuetext") or "")


def test_a_file_with_wrong_lines_shows_them_and_stores_nothing(
    opened: Service, console: OpenConsole, meter: str, tmp_path: Path
) -> None:
    file = tmp_path / "readings.csv"
    file.write_text(f"{HEADER}2024-04-02T00:00:00Z,{meter},x,1,,\n2024-04-02T00:15:00Z,other,1,1,,\n")
    page = console(opened)
    page.expect_refusal(400)
    page.open(f"/meters/{meter}?date=2024-04-02")
    page.page.get_by_label("CSV file").set_input_files(file)
    page.page.get_by_role("button", name="Upload").click()

    errors = page.card("Upload readings").get_by_role("listitem")
    expect(errors).to_have_count(2)
    expect(errors.nth(0)).to_contain_text("line 2: energy_kwh must be")
    expect(errors.nth(1)).to_contain_text("line 3: smart_meter_id must be")
    stored = opened.api.get(
        f"/api/meters/{meter}/readings?start=2024-04-02T00:00:00Z&end=2024-04-03T00:00:00Z"
    )
    assert stored.json()["items"] == []


def test_a_correct_file_is_stored_and_the_history_shows_who_corrected_what(
    opened: Service, console: OpenConsole, meter: str, tmp_path: Path
) -> None:
    file = tmp_path / "readings.csv"
    page = console(opened)
    for energy in ("0.5", "0.75"):
        file.write_text(f"{HEADER}2024-04-05T10:00:00Z,{meter},{energy},,,\n")
        page.open(f"/meters/{meter}?date=2024-04-05&reading=2024-04-05T10:00:00Z")
        page.page.get_by_label("CSV file").set_input_files(file)
        page.page.get_by_role("button", name="Upload").click()
        expect(page.card("Upload readings").get_by_role("status")).to_contain_text("1 readings received")

    page.open(f"/meters/{meter}?date=2024-04-05&reading=2024-04-05T10:00:00Z")

    rows = page.rows("Versions of the reading at 5 Apr 2024, 12:00:00 CEST")
    assert [row[:3] for row in rows] == [
        ["counts", "0.75 kWh", "measured"],
        ["replaced", "0.5 kWh", "measured"],
    ]
    assert rows[0][5] == "anonymous"


@pytest.mark.parametrize(("rows", "columns"), [("One by one", HEADER), ("Days", HEADER[:-1] + ",readings\n")])
def test_an_export_is_watched_and_downloaded(
    opened: Service, console: OpenConsole, meter: str, rows: str, columns: str
) -> None:
    page = console(opened)
    page.open(f"/meters/{meter}?span=month&date=2024-03-01")
    exports = page.card("Exports")
    exports.get_by_label("Rows").select_option(rows)
    exports.get_by_role("button", name="Export as CSV").click()
    expect(exports.get_by_role("status")).to_contain_text("completed", timeout=60_000)

    with page.page.expect_download() as download:
        exports.get_by_role("status").get_by_role("button", name="Download").click()

    assert download.value.suggested_filename == f"smart_meter_{meter}_20240229_20240331.csv"
    content = Path(download.value.path()).read_text()
    assert content.startswith(columns.replace("\n", "\r\n")[:60])
    assert len(content.splitlines()) == (169 if rows == "One by one" else 3)


def test_a_large_export_is_downloaded_from_the_bucket(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open("/meters/123?span=year&date=2023-01-01")
    exports = page.card("Exports")
    exports.get_by_label("Last day").fill("2023-04-30")
    exports.get_by_role("button", name="Export as CSV").click()
    expect(exports.get_by_role("status")).to_contain_text("completed", timeout=180_000)
    exports.get_by_role("status").get_by_role("button", name="Download").click(trial=True)

    with page.page.expect_download() as download:
        exports.get_by_role("status").get_by_role("button", name="Download").click()

    assert download.value.url.startswith(opened.outputs["aws_endpoint_url"])
    assert Path(download.value.path()).stat().st_size > 4 * 1024 * 1024
    # The only request that leaves the origin: a navigation to the file, of which the bucket says that it is a download.
    page.problems = [one for one in page.problems if opened.outputs["aws_endpoint_url"] not in one]
