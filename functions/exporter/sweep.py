"""What a schedule calls: recovers jobs whose message was never sent, or is lost."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.export_changes import Refusal, recover
from domain.exports import Status
from functions import finish_imports
from infra.exports.job_store import ExportStore
from infra.exports.queue import ExportQueue
from infra.stores import stores
from infra.telemetry import count, logger
from infra.time_left import IsTimeLeft, always, more_than

_TIME_TO_FINISH_SECONDS = 15
"""No job is started with less time left: a call to AWS that times out three times takes twelve, with pauses."""


class SweepError(Exception):
    """Some jobs could not be recovered; all others were."""


def handler(_event: dict[str, Any], context: LambdaContext) -> None:
    """Send overdue jobs again; end those that cannot be completed any more as failed."""
    sweep(
        stores().exports,
        stores().export_queue,
        datetime.now(UTC),
        more_than(_TIME_TO_FINISH_SECONDS, context),
    )


def sweep(jobs: ExportStore, queue: ExportQueue, now: datetime, is_time_left: IsTimeLeft = always) -> None:
    """Recover every pending job that was due before `now`; the next sweep does what there is no time for.

    Raises:
        SweepError: a job could not be recovered; it is logged, and the others are done.
    """
    failed = 0
    for job_id in jobs.overdue(now):
        if not is_time_left():
            logger.warning("Sweep stopped: no time left", next_job_id=job_id)
            break
        try:
            _recover(jobs, queue, job_id, now)
        except Exception:  # whatever is wrong with one job, the others do not wait for it
            logger.exception("Export not recovered", job_id=job_id)
            count("ExportsNotRecovered")
            failed += 1
    if failed:
        # So that the function's own alarm reports it.
        raise SweepError(f"{failed} jobs could not be recovered")


def _recover(jobs: ExportStore, queue: ExportQueue, job_id: str, now: datetime) -> None:
    job = jobs.change(job_id, lambda stored: recover(stored, now))
    if isinstance(job, Refusal):
        return
    logger.warning("Export recovered", job_id=job_id, status=job.status, attempt=job.attempt)
    if job.status is Status.PENDING:
        queue.send(job_id)
    elif job.status is Status.FAILED:
        count("ExportsFailed")


finish_imports()
