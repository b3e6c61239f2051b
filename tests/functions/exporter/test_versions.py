"""Exports of what was known, and of extra columns; reading what was stored in the former format."""

import gzip
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import export_changes
from domain.actors import Actor, ActorKind
from domain.export_changes import Refusal
from domain.exports import SETTLING, ExportFile, ExportJob
from domain.instants import to_micros
from domain.meters.csv_format import HEADER, ExtraColumn
from domain.meters.readings import Interval, Meter, MeterKind, Quality
from domain.meters.sums import add
from domain.meters.uploads import TooManyReadingsError
from infra.meters import reading_queries, reading_store
from infra.meters.hour_writes import Counts
from tests.functions.exporter.conftest import CONTENT, PERIOD, START, World
from tests.proof_level import cases
from tests.readings import reading

ADA = Actor(ActorKind.USER, "1", "ada")
METER = Meter("m", MeterKind.METERED, START)
CORRECTIONS = cases(60, 1000)


def export(world: World, **changes: Any) -> ExportFile:
    """Make an export with `changes` to its job; return the file."""
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: replace(job, **changes))
    world.worker().run(job_id, is_last_receive=False)
    file = world.job(job_id).file
    assert file is not None
    return file


def correct(world: World, number: int) -> None:
    """Correct one reading of the period, each time another."""
    at = PERIOD.start + timedelta(minutes=number % 60)
    world.readings.store("m", [reading(at, f"{number}", created_at=to_micros(world.now) + number)], ADA)


def sha_after_corrections(world: World, corrections: int) -> tuple[str, str]:
    """Return the sha256 of an export with `known_at`, and that of one after corrections and a deletion."""
    for number in range(5):
        correct(world, number)
    known_at = datetime.now(UTC)
    world.now = known_at + timedelta(minutes=1)
    first = export(world, known_at=known_at)
    for number in range(5, corrections):
        correct(world, number)
    world.readings.delete("m", Interval(PERIOD.start, PERIOD.start + timedelta(minutes=10)), ADA)
    again = export(world, known_at=known_at)
    assert export(world).sha256 != first.sha256
    return first.sha256, again.sha256


def test_an_export_with_known_at_keeps_its_bytes_after_corrections(world: World) -> None:
    first, again = sha_after_corrections(world, CORRECTIONS)
    assert first == again


def test_filtering_the_current_versions_would_change_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_queries, "known_at", lambda block, *_: replace(block, lines=b"", origins=()))
    first, again = sha_after_corrections(world, 60)
    assert first != again


def test_an_export_waits_for_writes_that_may_be_recorded_before_its_known_at(world: World) -> None:
    slept: list[float] = []
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: replace(job, known_at=world.now - timedelta(seconds=5)))
    replace(world.worker(), sleep=slept.append).run(job_id, is_last_receive=False)
    assert slept == [(SETTLING - timedelta(seconds=5)).total_seconds()]


def test_an_export_has_the_columns_asked_for(world: World) -> None:
    at = PERIOD.start + timedelta(minutes=1)
    made = to_micros(datetime(2024, 3, 1, tzinfo=UTC))
    world.readings.store("m", [reading(at, "5", quality=Quality.ESTIMATED, created_at=made)], ADA)
    file = export(world, columns=(ExtraColumn.QUALITY, ExtraColumn.CREATED_AT))
    lines = world.files.read(file.key).decode().split("\r\n")
    assert lines[0] == HEADER.decode().strip() + ",quality,created_at"
    assert lines[2] == "2024-01-01T00:31:00Z,m,5,,,,estimated,2024-03-01T00:00:00Z"
    assert lines[3].endswith(",measured,")  # stored without created_at


def store_in_the_former_format(world: World) -> bytes:
    """Put an hour as it was put before versions were kept; return its lines."""
    lines = b"".join(b"2024-01-02T00:%02d:00Z,m,0.10,1,230,2\r\n" % minute for minute in range(60))
    world.readings.client.put_item(
        TableName=world.readings.table,
        Item={
            "pk": {"S": "METER#m"},
            "sk": {"S": "HOUR#2024-01-02T00"},
            "body": {"B": gzip.compress(lines)},
            "count": {"N": "60"},
            "version": {"N": "7"},
        },
    )
    return lines


def test_hours_in_the_former_format_are_read_right_and_rewritten_when_touched(world: World) -> None:
    lines = store_in_the_former_format(world)
    day = Interval(START + timedelta(days=1), START + timedelta(days=2))
    assert b"".join(world.readings.lines(METER, day)) == lines
    (before,) = world.readings.sums(METER, day)
    known = world.readings.lines(METER, day, known_at=START)
    assert b"".join(known) == lines
    (version,) = world.readings.versions("m", day.start, 10, None).versions
    assert (version.origin.created_at, version.origin.recorded_at, version.origin.actor) == (None, 0, None)

    counts = world.readings.store("m", [reading(day.start, "0.10", "1", "230", "3", created_at=1)], ADA)
    assert counts == Counts(1, updated=1)
    (after,) = world.readings.sums(METER, day)
    former, present = add(before.quarters.values()), add(after.quarters.values())
    assert (former.readings, int(former.totals[3])) == (60, 120)
    assert (present.readings, int(present.totals[3]), after.cost < before.cost) == (60, 121, True)
    first, second = world.readings.versions("m", day.start, 10, None).versions
    assert (first.origin.recorded_at, first.replaced_at) == (0, second.origin.recorded_at)
    assert b"".join(world.readings.lines(METER, day, known_at=START)) == lines


def test_a_request_that_changes_too_much_is_refused_before_its_first_write(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_store, "MAX_STORED_READINGS", 100)
    monkeypatch.setattr(reading_store, "_COUNTED_FROM", 2)
    hours = [reading(START + timedelta(hours=hour), "9", created_at=1) for hour in range(2)]
    whole = Interval(START, START + timedelta(days=1))
    before = b"".join(world.readings.lines(METER, whole))
    with pytest.raises(TooManyReadingsError, match="readings: must touch hours with at most"):
        world.readings.store("m", hours, ADA)
    with pytest.raises(TooManyReadingsError, match="end: must touch hours with at most"):
        world.readings.delete("m", whole, ADA)
    assert b"".join(world.readings.lines(METER, whole)) == before
    assert world.readings.store("m", hours[:1], ADA) == Counts(1, updated=1)


def test_an_export_taken_over_after_a_crash_reports_its_progress_again(world: World) -> None:
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: export_changes.claim(job, world.now))
    world.jobs.change(job_id, lambda job: export_changes.report(job, 1, 80, world.now))
    world.now += export_changes.LEASE
    reported: list[int] = []
    original = world.jobs.change

    def watch(job: str, decide: Any) -> ExportJob | Refusal:
        answer = original(job, decide)
        assert isinstance(answer, ExportJob)
        reported.append(answer.progress)
        return answer

    world.jobs.change = watch  # type: ignore[assignment,method-assign]
    world.worker().run(job_id, is_last_receive=False)
    assert (reported[0], reported[-1]) == (0, 100)
    assert any(0 < progress < 100 for progress in reported)


def test_a_report_renews_the_lease_which_ends_without_one(world: World) -> None:
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: export_changes.claim(job, world.now))
    later = world.now + export_changes.LEASE - timedelta(seconds=1)
    world.jobs.change(job_id, lambda job: export_changes.report(job, 1, 10, later))
    still = export_changes.claim(world.job(job_id), later + export_changes.LEASE - timedelta(seconds=1))
    assert still is export_changes.Refusal.LEASED
    assert not isinstance(
        export_changes.claim(world.job(job_id), later + export_changes.LEASE), export_changes.Refusal
    )


def test_what_an_export_holds_is_checked_against_its_sum(world: World) -> None:
    assert export(world).sha256 == hashlib.sha256(CONTENT).hexdigest()
