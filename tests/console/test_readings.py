"""Readings: the curve by keyboard, the history of one, and a file too large for an answer of the service."""

from pathlib import Path

from playwright.sync_api import expect

from tests.console.conftest import OpenConsole, Service
from tests.console.console import plain


def test_arrow_keys_read_the_curve_across_the_change_to_summer_time(
    opened: Service, console: OpenConsole
) -> None:
    page = console(opened)
    page.open("/meters/123?date=2024-03-31&tz=Europe/Berlin&value=power_kw")
    curve = page.page.get_by_role("slider", name="Power in kW")
    curve.press("Home")
    expect(page.page.get_by_role("tooltip")).to_contain_text("31 Mar 2024, 00:00:00 CET")
    for _ in range(8):
        curve.press("ArrowRight")
    # From two o'clock on it was summer time.
    expect(page.page.get_by_role("tooltip")).to_contain_text("31 Mar 2024, 03:00:00 CEST")
    assert "03:00:00 CEST" in plain(curve.get_attribute("aria-valuetext") or "")
    curve.press("Escape")
    expect(page.page.get_by_role("tooltip")).to_have_count(0)


def test_the_history_of_a_reading_shows_what_was_corrected(opened: Service, console: OpenConsole) -> None:
    instant = "2024-04-05T10:00:00Z"
    for quality, energy in (("estimated", "0.5"), ("measured", "0.75")):
        reading = {"timestamp": instant, "energy_kwh": energy, "quality": quality}
        sent = opened.api.put("/api/meters/corrected/readings", json={"readings": [reading]})
        assert sent.status_code == 200
    page = console(opened)
    page.open("/meters/corrected?date=2024-04-05&tz=UTC")

    page.page.get_by_label("Timestamp, in Europe/Berlin").fill("2024-04-05T12:00:00")
    page.page.get_by_role("button", name="Show its versions").click()
    page.page.wait_for_url("**reading=**")
    page.settle()

    rows = page.rows("Versions of the reading at 5 Apr 2024, 12:00:00 CEST")
    assert [row[:3] for row in rows] == [
        ["counts", "0.75 kWh", "measured"],
        ["replaced", "0.5 kWh", "estimated"],
    ]
    assert {row[5] for row in rows} == {"anonymous"}


def test_a_large_file_is_downloaded_from_the_bucket(opened: Service, console: OpenConsole) -> None:
    page = console(opened)
    page.open("/meters/123?span=year&date=2023-01-01&tz=UTC")
    exports = page.card("Exports")
    exports.get_by_label("Last day").fill("2023-03-31")
    exports.get_by_role("button", name="Export as CSV").click()
    done = exports.get_by_role("status")
    expect(done).to_contain_text("129,600 rows", timeout=180_000)

    with page.page.expect_download() as saving:
        done.get_by_role("button", name="Download").click()

    bucket = opened.outputs["aws_endpoint_url"]
    assert saving.value.url.startswith(f"{bucket}/")
    assert Path(saving.value.path()).stat().st_size > 4 * 1024 * 1024
    # The one request that leaves the origin: a navigation to a file of which the bucket says that it is a download.
    page.problems = [
        problem for problem in page.problems if not problem.startswith(f"left the origin: {bucket}/")
    ]
