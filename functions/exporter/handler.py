"""What Lambda calls with messages of the export queue."""

from functools import cache
from typing import Any
from uuid import uuid4

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.exporter.worker import LeasedError, Worker
from infra.aws import dynamodb, s3, sqs
from infra.exports.files import ExportFiles
from infra.exports.job_store import ExportStore
from infra.exports.queue import MAX_RECEIVES, ExportQueue, job_of
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from infra.settings import ExportSettings, settings
from infra.telemetry import logger

_processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

_RETRY_SECONDS = 15
_LEASED_SECONDS = 120


def handler(event: dict[str, Any], context: LambdaContext) -> Any:  # noqa: ANN401 - Powertools' type
    """Make the files that the messages ask for; the messages that failed come back."""
    return process_partial_response(event, _export, _processor, context)


def _export(record: SQSRecord) -> None:
    receives = int(record.attributes.approximate_receive_count)
    job_id = job_of(record.body)
    logger.append_keys(correlation_id=job_id)
    try:
        worker().run(job_id, is_last_receive=receives >= MAX_RECEIVES)
    except LeasedError:
        queue().postpone(record.receipt_handle, _LEASED_SECONDS)
        raise
    except Exception:
        queue().postpone(record.receipt_handle, _RETRY_SECONDS * receives)
        raise


@cache
def worker() -> Worker:
    """Return the worker on this function's tables and bucket."""
    chosen = settings(ExportSettings)
    return Worker(
        jobs=ExportStore(dynamodb(), chosen.export_jobs_table, fresh_id=lambda: uuid4().hex),
        meters=MeterStore(dynamodb(), chosen.readings_table),
        readings=ReadingStore(dynamodb(), chosen.readings_table),
        files=ExportFiles(s3(), chosen.export_bucket),
    )


@cache
def queue() -> ExportQueue:
    """Return the queue that the messages come from."""
    return ExportQueue(sqs(), settings(ExportSettings).export_queue_url)
