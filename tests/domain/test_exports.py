"""Jobs: every state against every thing that may be tried on it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain import export_changes, exports
from domain.export_changes import LEASE, LOST_AFTER, MAX_ATTEMPTS, Refusal
from domain.exports import EXPORT_FAILED, FILE_LIFETIME, UNSENT_AFTER, ExportFile, ExportJob, Status
from domain.meters.periods import PeriodError, check_period
from domain.meters.readings import Interval

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FILE = ExportFile("key", 1, 2, "sha", NOW + FILE_LIFETIME)
JOB = exports.new_job("job", "m", Interval(NOW - timedelta(days=2), NOW - timedelta(days=1)), "me", NOW)


def claimed(job: ExportJob = JOB, now: datetime = NOW) -> ExportJob:
    answer = export_changes.claim(job, now)
    assert isinstance(answer, ExportJob)
    return answer


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        (timedelta(0), timedelta(minutes=1), "start_datetime"),
        (timedelta(minutes=1), timedelta(minutes=2), "start_datetime"),
        (timedelta(minutes=-5), timedelta(minutes=-5), "end_datetime"),
        (timedelta(minutes=-5), timedelta(minutes=-6), "end_datetime"),
        (timedelta(minutes=-5), timedelta(microseconds=1), "end_datetime"),
        (timedelta(minutes=-5), timedelta(minutes=-4, microseconds=-1), "end_datetime"),
        (timedelta(days=-367), timedelta(days=-1, microseconds=1), "end_datetime"),
        (timedelta(minutes=-5), timedelta(minutes=-4), None),
        (timedelta(minutes=-1), timedelta(0), None),
        (timedelta(days=-367), timedelta(days=-1), None),
    ],
)
def test_a_period_lies_in_the_past_and_is_a_minute_to_366_days_long(
    start: timedelta, end: timedelta, field: str | None
) -> None:
    period = Interval(NOW + start, NOW + end)
    if field is None:
        check_period(period, NOW)
        return
    with pytest.raises(PeriodError) as refused:
        check_period(period, NOW)
    assert refused.value.field == field


def test_a_claim_owns_the_job_until_its_lease_is_over() -> None:
    first = claimed()
    assert (first.attempt, first.lease_until, first.due_at) == (1, NOW + LEASE, NOW + LEASE)
    assert export_changes.claim(first, NOW + LEASE - SECOND) is Refusal.LEASED
    assert claimed(first, NOW + LEASE).attempt == 2


def test_a_released_job_can_be_claimed_at_once() -> None:
    released = export_changes.release(claimed(), 1, NOW)
    assert isinstance(released, ExportJob)
    assert claimed(released, NOW).attempt == 2


def test_there_are_three_attempts() -> None:
    used_up = replace(JOB, attempt=MAX_ATTEMPTS)
    assert export_changes.claim(used_up, NOW) is Refusal.EXHAUSTED


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_nothing_happens_to_a_finished_job(status: Status) -> None:
    done = replace(JOB, status=status, attempt=1)
    later = NOW + LOST_AFTER
    assert export_changes.claim(done, later) is Refusal.FINISHED
    assert export_changes.report(done, 1, 50, later) is Refusal.FINISHED
    assert export_changes.release(done, 1, later) is Refusal.FINISHED
    assert export_changes.complete(done, 1, FILE, later) is Refusal.FINISHED
    assert export_changes.fail(done, 1, EXPORT_FAILED, later) is Refusal.FINISHED
    assert export_changes.cancel(done, later) is Refusal.FINISHED
    assert export_changes.recover(done, later) is Refusal.FINISHED


def test_an_attempt_that_was_superseded_has_no_say() -> None:
    second = claimed(claimed(), NOW + LEASE)
    assert export_changes.report(second, 1, 50, NOW) is Refusal.SUPERSEDED
    assert export_changes.release(second, 1, NOW) is Refusal.SUPERSEDED
    assert export_changes.complete(second, 1, FILE, NOW) is Refusal.SUPERSEDED
    assert export_changes.fail(second, 1, EXPORT_FAILED, NOW) is Refusal.SUPERSEDED


def test_each_end_ends_the_lease_and_the_watch() -> None:
    for answer, status in (
        (export_changes.complete(claimed(), 1, FILE, NOW), Status.COMPLETED),
        (export_changes.fail(claimed(), 1, EXPORT_FAILED, NOW), Status.FAILED),
        (export_changes.cancel(claimed(), NOW), Status.CANCELLED),
    ):
        assert isinstance(answer, ExportJob)
        assert (answer.status, answer.lease_until, answer.due_at) == (status, None, None)


def test_a_file_expires_at_the_end_of_its_lifetime() -> None:
    done = export_changes.complete(claimed(), 1, FILE, NOW)
    assert isinstance(done, ExportJob)
    assert done.status_at(FILE.expires_at - SECOND) is Status.COMPLETED
    assert done.status_at(FILE.expires_at) is Status.EXPIRED


def test_an_unsent_job_is_looked_after_when_it_is_due() -> None:
    assert export_changes.recover(JOB, NOW + UNSENT_AFTER - SECOND) is Refusal.NOT_DUE
    again = export_changes.recover(JOB, NOW + UNSENT_AFTER)
    assert isinstance(again, ExportJob)
    assert (again.status, again.due_at) == (Status.PENDING, NOW + 2 * UNSENT_AFTER)


def test_a_running_attempt_is_left_alone() -> None:
    assert export_changes.recover(claimed(), NOW + LEASE - SECOND) is Refusal.LEASED


@pytest.mark.parametrize(
    ("job", "later"), [(replace(JOB, attempt=MAX_ATTEMPTS), UNSENT_AFTER), (JOB, LOST_AFTER)]
)
def test_a_job_that_no_message_can_help_fails(job: ExportJob, later: timedelta) -> None:
    answer = export_changes.recover(job, NOW + later)
    assert isinstance(answer, ExportJob)
    assert (answer.status, answer.failure) == (Status.FAILED, EXPORT_FAILED)


def test_attempts_never_share_a_key() -> None:
    first, second = claimed(), claimed(claimed(), NOW + LEASE)
    assert first.key == "exports/job/1/smart_meter_m_20240530_20240531.csv"
    assert second.key == "exports/job/2/smart_meter_m_20240530_20240531.csv"
