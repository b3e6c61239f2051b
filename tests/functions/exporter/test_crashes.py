"""A worker that is interrupted before or after any of its calls to AWS."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from domain.export_changes import LEASE
from domain.exports import EXPORT_FAILED, Status
from infra.exports.queue import MAX_RECEIVES
from infra.write_outcomes import OutcomeUnknownError
from tests.functions.exporter.conftest import CONTENT, World

LOST = (ReadTimeoutError, OutcomeUnknownError)


class Crash(BaseException):
    """The process ends here."""


class Saboteur:
    """Counts the moments before and after each call, and lets something happen at one of them."""

    def __init__(self, world: World) -> None:
        self.moments: list[str] = []
        self.at: int | None = None
        self.happen: Callable[[], None] = lambda: None
        for client in (world.jobs.client, world.files.client):
            client.meta.events.register("before-call.*.*", self._before)
            client.meta.events.register("after-call.*.*", self._after)

    def _before(self, model: Any, **_: Any) -> None:
        self._moment(f"before {model.name}")

    def _after(self, model: Any, **_: Any) -> None:
        self._moment(f"after {model.name}")

    def _moment(self, name: str) -> None:
        self.moments.append(name)
        if self.at is not None and len(self.moments) > self.at:
            self.happen()

    def plan(self, at: int | None, happen: Callable[[], None] = lambda: None) -> None:
        """Let `happen` be called at the moment `at` from now, and at every later one that is reached."""
        self.moments, self.at, self.happen = [], at, happen


def crash() -> None:
    """End the process: what it still tries ends the same way."""
    raise Crash


def deliver_until_done(world: World, job_id: str) -> None:
    """Do what the queue does: deliver again while the worker fails, a lease later."""
    for receive in range(2, MAX_RECEIVES + 1):
        if world.job(job_id).status is not Status.PENDING:
            return
        world.now += LEASE
        try:
            world.worker().run(job_id, is_last_receive=receive == MAX_RECEIVES)
        except LOST:
            continue


def assert_one_file_and_nothing_else(world: World, job_id: str) -> None:
    job = world.job(job_id)
    assert job.status is Status.COMPLETED
    assert job.file is not None
    assert job.file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (job.file.size_bytes, job.file.record_count) == (len(CONTENT), 60)
    assert world.files.read(job.file.key) == CONTENT
    assert world.stored_keys() == [job.file.key]
    assert world.unfinished_uploads() == []


def moments_of_an_export(world: World, saboteur: Saboteur) -> list[str]:
    saboteur.plan(None)
    world.worker().run(world.new_job(), is_last_receive=False)
    return saboteur.moments[2:]  # the first call stores the job


@pytest.mark.slow
def test_a_crash_before_or_after_any_call_ends_in_one_completed_job(world: World) -> None:
    saboteur = Saboteur(world)
    moments = moments_of_an_export(world, saboteur)
    assert len(moments) >= 18
    for at, moment in enumerate(moments):
        for key in world.stored_keys():
            world.files.delete(key)
        job_id = world.new_job()
        saboteur.plan(at, crash)
        with pytest.raises(Crash):
            world.worker().run(job_id, is_last_receive=False)
        assert saboteur.moments[at] == moment
        saboteur.plan(None)
        deliver_until_done(world, job_id)
        assert_one_file_and_nothing_else(world, job_id)


@pytest.mark.slow
def test_an_answer_lost_at_any_call_ends_in_one_completed_job(world: World) -> None:
    saboteur = Saboteur(world)
    moments = moments_of_an_export(world, saboteur)
    for at in range(len(moments)):
        for key in world.stored_keys():
            world.files.delete(key)
        job_id = world.new_job()

        def lose_once() -> None:
            saboteur.at = None
            raise ReadTimeoutError(endpoint_url="https://aws")

        saboteur.plan(at, lose_once)
        with pytest.raises(LOST):
            world.worker().run(job_id, is_last_receive=False)
        saboteur.plan(None)
        deliver_until_done(world, job_id)
        assert_one_file_and_nothing_else(world, job_id)


@pytest.mark.parametrize("moment", ["before Query", "after UploadPart", "after CompleteMultipartUpload"])
def test_three_crashes_end_in_a_failed_job_with_a_reason(world: World, moment: str) -> None:
    saboteur = Saboteur(world)
    moments = moments_of_an_export(world, saboteur)
    for key in world.stored_keys():
        world.files.delete(key)
    job_id = world.new_job()
    for _ in range(3):
        saboteur.plan(None)
        world.now += LEASE

        def crash_at_the_moment() -> None:
            if moment in saboteur.moments:
                raise Crash

        saboteur.plan(moments.index(moment), crash_at_the_moment)
        with pytest.raises(Crash):
            world.worker().run(job_id, is_last_receive=False)
    saboteur.plan(None)
    world.now += LEASE
    world.worker().run(job_id, is_last_receive=False)
    job = world.job(job_id)
    assert (job.status, job.failure) == (Status.FAILED, EXPORT_FAILED)


@pytest.mark.parametrize("is_last_receive", [True, False])
def test_a_last_attempt_that_fails_says_so_and_leaves_nothing(
    world: World, is_last_receive: bool, counted: Callable[[], dict[str, float]]
) -> None:
    saboteur = Saboteur(world)
    job_id = world.new_job()
    attempts = 1 if is_last_receive else 3

    def fail_reading() -> None:
        if saboteur.moments[-1] == "before Query":
            raise ReadTimeoutError(endpoint_url="https://aws")

    for attempt in range(1, attempts + 1):
        saboteur.plan(0, fail_reading)
        if attempt < attempts:
            with pytest.raises(LOST):
                world.worker().run(job_id, is_last_receive=False)
            assert world.job(job_id).status is Status.PENDING
        else:
            world.worker().run(job_id, is_last_receive=is_last_receive)
    job = world.job(job_id)
    assert (job.status, job.failure, job.attempt) == (Status.FAILED, EXPORT_FAILED, attempts)
    assert counted() == {"ExportsFailed": 1}
    assert world.stored_keys() == world.unfinished_uploads() == []


def test_a_completion_whose_answer_is_lost_on_the_last_receive_keeps_its_file(world: World) -> None:
    saboteur = Saboteur(world)
    moments = moments_of_an_export(world, saboteur)
    for key in world.stored_keys():
        world.files.delete(key)
    job_id = world.new_job()

    def lose_once() -> None:
        saboteur.at = None
        raise ReadTimeoutError(endpoint_url="https://aws")

    saboteur.plan(len(moments) - 1, lose_once)
    world.worker().run(job_id, is_last_receive=True)
    assert_one_file_and_nothing_else(world, job_id)


def test_a_file_that_appeared_although_its_answer_was_lost_is_deleted_at_once(world: World) -> None:
    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://aws")

    world.files.client.meta.events.register("after-call.s3.CompleteMultipartUpload", lose)
    with pytest.raises(ReadTimeoutError):
        world.worker().run(world.new_job(), is_last_receive=False)
    assert world.stored_keys() == world.unfinished_uploads() == []
