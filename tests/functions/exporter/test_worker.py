"""The worker: ordinary exports, and interrupted, cancelled and impossible ones."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain import export_changes
from domain.export_changes import LEASE, Refusal
from domain.exports import ExportJob, Status
from domain.meters.csv_format import HEADER
from domain.meters.readings import Interval, Meter, MeterKind
from functions.exporter.worker import LeasedError
from tests.functions.exporter.conftest import CONTENT, START, World


def test_a_file_is_written_in_parts_and_holds_the_period(world: World) -> None:
    job_id = world.new_job()
    world.worker().run(job_id, is_last_receive=False)
    job = world.job(job_id)
    assert job.file is not None
    assert world.files.read(job.file.key) == CONTENT
    assert job.file.key == f"exports/{job_id}/1/smart_meter_m_20240101_20240101.csv"
    assert job.file.expires_at == world.now + timedelta(days=7)
    head = world.files.client.head_object(Bucket="exports", Key=job.file.key)
    assert head["ContentType"] == "text/csv; charset=utf-8"
    assert '-2"' in head["ETag"]  # of two parts


def test_what_is_made_is_counted_and_what_no_meter_has_is_no_failure_of_ours(
    world: World, counted: Callable[[], dict[str, float]]
) -> None:
    world.worker().run(world.new_job(), is_last_receive=False)
    assert counted() == {"ExportsCompleted": 1}
    world.worker().run(world.new_job(meter_id="nobody"), is_last_receive=False)
    assert counted() == {}


def test_an_empty_range_is_a_header_alone(world: World) -> None:
    later = START + timedelta(days=50)
    job_id = world.new_job(period=Interval(later, later + timedelta(hours=1)))
    world.worker().run(job_id, is_last_receive=False)
    job = world.job(job_id)
    assert job.file is not None
    assert (world.files.read(job.file.key), job.file.record_count) == (HEADER, 0)


def test_an_unknown_meter_fails_the_job_at_once(world: World) -> None:
    job_id = world.new_job(meter_id="nobody")
    world.worker().run(job_id, is_last_receive=False)
    job = world.job(job_id)
    assert job.status is Status.FAILED
    assert job.failure is not None
    assert (job.failure.code, job.failure.message) == (
        "SMART_METER_NOT_FOUND",
        "Smart meter 'nobody' not found",
    )


def test_a_simulated_meter_needs_no_stored_readings(world: World) -> None:
    world.meters.register(Meter("123", MeterKind.SIMULATED, START))
    job_id = world.new_job(meter_id="123")
    world.worker().run(job_id, is_last_receive=False)
    file = world.job(job_id).file
    assert file is not None
    assert file.record_count == 60


def test_progress_grows_and_stays_below_a_hundred_until_the_end(world: World) -> None:
    job_id = world.new_job()
    reported: list[int] = []
    original = world.jobs.change

    def watch(job: str, decide: Any) -> ExportJob | Refusal:
        answer = original(job, decide)
        if isinstance(answer, ExportJob):
            reported.append(answer.progress)
        return answer

    world.jobs.change = watch  # type: ignore[assignment,method-assign]
    world.worker().run(job_id, is_last_receive=False)
    assert reported == sorted(reported)
    assert reported[0] == 0
    assert reported[-1] == 100
    assert max(reported[:-1]) < 100
    assert len(set(reported)) >= 3


def test_a_cancelled_job_is_not_started(world: World) -> None:
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: export_changes.cancel(job, world.now))
    world.worker().run(job_id, is_last_receive=False)
    assert world.job(job_id).status is Status.CANCELLED
    assert world.stored_keys() == world.unfinished_uploads() == []


@pytest.mark.parametrize("call", ["GetItem", "UploadPart", "CompleteMultipartUpload"])
def test_a_running_export_stops_at_its_next_block_when_it_is_cancelled(world: World, call: str) -> None:
    job_id = world.new_job()
    calls: list[str] = []

    def cancel_then(model: Any, **_: Any) -> None:
        calls.append(model.name)
        if (
            model.name == call
            and call in calls
            and calls.count("cancel") == 0
            and "CreateMultipartUpload" in calls
        ):
            calls.append("cancel")
            world.jobs.change(job_id, lambda job: export_changes.cancel(job, world.now))

    for client in (world.jobs.client, world.files.client):
        client.meta.events.register("after-call.*.*", cancel_then)
    world.worker().run(job_id, is_last_receive=False)
    assert world.job(job_id).status is Status.CANCELLED
    assert world.stored_keys() == world.unfinished_uploads() == []
    if call == "UploadPart":
        assert calls.count("UploadPart") == 1


def test_a_job_that_another_attempt_works_on_is_left_to_it(world: World) -> None:
    job_id = world.new_job()
    world.jobs.change(job_id, lambda job: export_changes.claim(job, world.now))
    with pytest.raises(LeasedError):
        world.worker().run(job_id, is_last_receive=False)
    world.worker().run(job_id, is_last_receive=True)
    assert world.job(job_id).status is Status.PENDING


def test_an_attempt_whose_lease_has_ended_cannot_finish(world: World) -> None:
    job_id = world.new_job()
    taken_over: list[str] = []

    def take_over(**_: Any) -> None:
        if not taken_over:
            taken_over.append("")
            world.now += LEASE
            world.worker().run(job_id, is_last_receive=False)

    world.files.client.meta.events.register("after-call.s3.CompleteMultipartUpload", take_over)
    world.worker().run(job_id, is_last_receive=False)
    job = world.job(job_id)
    assert job.file is not None
    assert job.attempt == 2
    assert world.stored_keys() == [job.file.key]
    assert world.files.read(job.file.key) == CONTENT


def test_a_message_of_a_job_that_is_gone_is_dropped(world: World) -> None:
    world.worker().run("nobody-knows", is_last_receive=False)
    assert world.stored_keys() == []
