"""What a schedule calls: looks after jobs whose message was never sent, or is lost."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.exports import Refusal, Status, recover
from infra.exports.job_store import ExportStore
from infra.exports.queue import ExportQueue
from infra.stores import stores
from infra.telemetry import count, logger


def handler(_event: dict[str, Any], _context: LambdaContext) -> None:
    """Send overdue jobs again; fail those that no message can help."""
    sweep(stores().exports, stores().export_queue, datetime.now(UTC))


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
