"""What a schedule calls: looks after jobs whose message was never sent, or is lost."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.exports import Refusal, Status, recover
from infra.aws import dynamodb, sqs
from infra.exports.job_store import ExportStore
from infra.exports.queue import ExportQueue
from infra.settings import ExportSweepSettings, settings
from infra.telemetry import count, logger


def handler(_event: dict[str, Any], _context: LambdaContext) -> None:
    """Send overdue jobs again; fail those that no message can help."""
    sweep(jobs(), queue(), datetime.now(UTC))


def sweep(jobs: ExportStore, queue: ExportQueue, now: datetime) -> None:
    """Look after every pending job that was due before `now`."""
    for job_id in jobs.overdue(now):
        job = jobs.change(job_id, lambda stored: recover(stored, now))
        if isinstance(job, Refusal):
            continue
        logger.warning("Export looked after", job_id=job_id, status=job.status, attempt=job.attempt)
        if job.status is Status.PENDING:
            queue.send(job_id)
        elif job.status is Status.FAILED:
            count("ExportsFailed")


@cache
def jobs() -> ExportStore:
    """Return the store of jobs."""
    return ExportStore(
        dynamodb(), settings(ExportSweepSettings).export_jobs_table, fresh_id=lambda: uuid4().hex
    )


@cache
def queue() -> ExportQueue:
    """Return the queue that the worker reads."""
    return ExportQueue(sqs(), settings(ExportSweepSettings).export_queue_url)
