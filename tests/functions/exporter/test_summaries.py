"""Exports that are summed up by local period."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain import exports
from domain.exports import Status
from domain.meters.csv_format import read_line
from domain.meters.local_periods import Resolution
from domain.meters.readings import Interval, Meter, MeterKind
from domain.meters.simulation import simulate
from domain.meters.summary_csv import SUMMARY_HEADER
from tests.functions.exporter.conftest import START, World
from tests.readings import reading

SPRING = Interval(START + timedelta(days=88, hours=3), START + timedelta(days=93))


def export(
    world: World, resolution: Resolution, meter_id: str = "123", timezone: str | None = None
) -> exports.ExportJob:
    job = exports.new_job(f"job-{next(world.ids)}", meter_id, SPRING, "anonymous", world.now)
    world.jobs.create(replace(job, resolution=resolution, timezone=timezone))
    world.worker().run(job.id, is_last_receive=False)
    return world.job(job.id)


def rows(world: World, job: exports.ExportJob) -> list[list[str]]:
    assert job.file is not None
    header, *lines = world.files.read(job.file.key).splitlines(keepends=True)
    assert header == SUMMARY_HEADER
    assert job.file.record_count == len(lines)
    return [line.decode().removesuffix("\r\n").split(",") for line in lines]


@pytest.mark.parametrize(
    ("resolution", "count"), [("month", 2), ("day", 6), ("hour", 117), ("quarter_hour", 468)]
)
def test_a_file_of_periods_has_their_local_begins_sums_and_counts(
    world: World, resolution: str, count: int
) -> None:
    world.meters.register(Meter("123", MeterKind.SIMULATED, START))
    found = rows(world, export(world, Resolution(resolution), timezone="Europe/Berlin"))
    raw = [read_line(line) for block in simulate("123", SPRING) for line in block.splitlines()]
    assert len(found) == count
    assert sum(Decimal(row[2]) for row in found) == sum(Decimal(one.energy_kwh) for one in raw)
    assert sum(int(row[6]) for row in found) == len(raw)
    assert found[0][1] == "123"
    if resolution == "day":
        assert [(row[0], row[6]) for row in found[1:4]] == [
            ("2024-03-30T00:00:00+01:00", "1440"),
            ("2024-03-31T00:00:00+01:00", "1380"),
            ("2024-04-01T00:00:00+02:00", "1440"),
        ]


def test_the_meter_s_zone_counts_where_the_job_names_none(world: World) -> None:
    world.meters.change("m", {"timezone": "Asia/Kathmandu"}, START)
    at = SPRING.start + timedelta(hours=20)
    world.readings.store("m", [reading(at, "0.10", "", "230", "")])
    assert rows(world, export(world, Resolution.DAY, "m")) == [
        ["2024-03-30T00:00:00+05:45", "m", "0.10", "", "230.000000", "", "1"]
    ]


def test_a_zone_that_cannot_be_summed_up_fails_the_job_for_good_and_leaves_no_file(world: World) -> None:
    at = START.replace(year=2010, month=11, day=7, hour=12)
    world.readings.store("m", [reading(at, "1")])
    job = exports.new_job("job", "m", Interval(at, at + timedelta(hours=1)), "anonymous", world.now)
    world.jobs.create(replace(job, resolution=Resolution.DAY, timezone="America/St_Johns"))
    world.worker().run("job", is_last_receive=False)
    failed = world.job("job")
    assert (failed.status, failed.failure and failed.failure.code) == (Status.FAILED, "TIME_ZONE_UNSUPPORTED")
    assert world.stored_keys() == []
    assert world.unfinished_uploads() == []


def test_a_correction_counts_in_the_next_file_and_not_in_that_of_what_was_known(world: World) -> None:
    at = SPRING.start + timedelta(hours=1)
    world.readings.store("m", [reading(at, "1", created_at=1)])
    known = world.readings.now()
    world.readings.store("m", [reading(at, "2", created_at=2)])
    world.now = known + timedelta(days=1)
    for instant, energy in ((known, "1"), (None, "2")):
        job = exports.new_job(f"job-{energy}", "m", SPRING, "anonymous", world.now)
        world.jobs.create(replace(job, resolution=Resolution.HOUR, timezone="UTC", known_at=instant))
        world.worker().run(job.id, is_last_receive=False)
        ((_, _, found, *_),) = rows(world, world.job(job.id))
        assert found == energy
