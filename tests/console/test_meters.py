"""Meters: uploads whose wrong lines are shown, exports from the order to the file, and gaps."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.conftest import OpenConsole, Service
from tests.console.console import Console

HEADER = "timestamp,smart_meter_id,energy_kwh,power_kw,voltage_v,current_a"


def line(meter: str, minute: int) -> str:
    return f"2024-03-01T10:{minute:02}:00Z,{meter},0.5,,,"


def upload(page: Console, folder: Path, *lines: str) -> None:
    file = folder / "readings.csv"
    file.write_text("\r\n".join([HEADER, *lines, ""]))
    page.page.get_by_label("CSV file").set_input_files(file)
    page.page.get_by_role("button", name="Upload").click()


def test_an_upload_shows_its_wrong_lines_and_then_stores_the_corrected_file(
    opened: Service, console: OpenConsole, tmp_path: Path
) -> None:
    opened.api.put("/api/meters/uploaded", json={"interval_seconds": 900, "timezone": "Europe/Berlin"})
    page = console(opened)
    page.expect_refusal(400)
    page.open("/meters/uploaded?date=2024-03-01")
    wrong = ["2024-03-01T10:15:00Z,uploaded,much,,,", "yesterday,uploaded,1,,,"]
    upload(page, tmp_path, line("uploaded", 0), *wrong)
    problems = page.card("Upload readings").get_by_role("alert")
    expect(problems).to_contain_text("line 3")
    expect(problems).to_contain_text("line 4")
    expect(page.card("Upload readings")).to_contain_text("Nothing of the file was stored.")

    upload(page, tmp_path, line("uploaded", 0), line("uploaded", 15), line("uploaded", 45))
    expect(page.card("Upload readings")).to_contain_text("3 readings received: 3 stored")
    expect(page.card("Readings")).to_contain_text("1.5 kWh in sum")
    completeness = opened.api.get("/api/meters/uploaded/completeness?from=2024-03-01&to=2024-03-02").json()
    expect(page.card("Completeness")).to_contain_text(f"3 of {completeness['expected']} readings")
    gaps = page.rows("Gaps")
    assert len(gaps) == len(completeness["gaps"])
    page.page.get_by_role("button", name="Month").click()
    page.settle()
    calendar = page.card("Completeness").locator("button.day.partly")
    expect(calendar).to_have_count(1)


def test_the_interval_of_a_meter_is_set_so_that_gaps_show(opened: Service, console: OpenConsole) -> None:
    readings = [{"timestamp": f"2024-03-01T{hour:02}:00:00Z", "energy_kwh": "1"} for hour in range(3)]
    opened.api.put("/api/meters/irregular/readings", json={"readings": readings})
    page = console(opened)
    page.open("/meters/irregular?date=2024-03-01&tz=UTC")
    part = page.card("Completeness")
    expect(part).to_contain_text("How often this meter sends readings is not known")
    part.get_by_label("A reading every").select_option("60 min")
    part.get_by_role("button", name="Set").click()
    expect(part).to_contain_text("3 of 24 readings, 21 missing")
    assert opened.api.get("/api/meters/irregular").json()["interval_seconds"] == 3600


@pytest.mark.parametrize(("resolution", "rows"), [("raw", 1440), ("hour", 24)])
def test_an_export_is_ordered_watched_and_saved(
    opened: Service, console: OpenConsole, resolution: str, rows: int
) -> None:
    page = console(opened)
    page.open("/meters/123?date=2024-02-01&tz=UTC")
    part = page.card("Exports")
    part.get_by_label("Rows").select_option(resolution)
    part.get_by_role("button", name="Export as CSV").click()
    done = part.get_by_role("status")
    expect(done).to_contain_text(re.compile(rf"completed\s*{rows:,} rows"), timeout=60_000)
    with page.page.expect_download() as saving:
        done.get_by_role("button", name=re.compile("^Download")).click()
    assert saving.value.suggested_filename == "smart_meter_123_20240201_20240202.csv"
    text = Path(saving.value.path()).read_text(encoding="utf-8")
    assert text.startswith("timestamp,smart_meter_id,energy_kwh")
    assert text.count("\n") == rows + 1


def test_a_long_export_can_be_cancelled(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open("/meters/123?span=year&date=2023-01-01&tz=UTC")
    part = page.card("Exports")
    part.get_by_role("button", name="Export as CSV").click()
    expect(part.get_by_role("progressbar")).to_be_visible()
    part.get_by_role("button", name="Cancel").click()
    expect(part.get_by_role("status")).to_contain_text("cancelled", timeout=30_000)


def test_a_day_of_the_change_to_summer_time_has_23_hours(opened: Service, console: OpenConsole) -> None:
    items = opened.api.get(
        "/api/meters/123/readings?start=2024-03-30T23:00:00Z&end=2024-03-31T22:00:00Z&resolution=quarter_hour&tz=Europe/Berlin&limit=200"
    ).json()["items"]
    page = console(opened)
    page.open("/meters/123?date=2024-03-31&tz=Europe/Berlin")
    assert len(items) == 92
    expect(page.card("Readings").locator("svg .bar")).to_have_count(92)
    expect(page.card("Completeness")).to_contain_text("1,380 of 1,380 readings")
