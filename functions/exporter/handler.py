"""What Lambda calls with messages of the export queue."""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.exporter.worker import LeasedError, Worker
from infra.exports.queue import MAX_RECEIVES, job_of
from infra.stores import stores
from infra.telemetry import logger

_processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

_RETRY_SECONDS = 15
_LEASED_SECONDS = 60


def handler(event: dict[str, Any], context: LambdaContext) -> Any:  # noqa: ANN401 - Powertools' type
    """Make the files that the messages ask for; the messages that failed are received again."""
    return process_partial_response(event, _export, _processor, context)


def _export(record: SQSRecord) -> None:
    receives = int(record.attributes.approximate_receive_count)
    job_id = job_of(record.body)
    logger.append_keys(correlation_id=job_id)
    try:
        worker().run(job_id, is_last_receive=receives >= MAX_RECEIVES)
    except LeasedError:
        stores().export_queue.postpone(record.receipt_handle, _LEASED_SECONDS)
        raise
    except Exception:
        stores().export_queue.postpone(record.receipt_handle, _RETRY_SECONDS * receives)
        raise


def worker() -> Worker:
    """Return the worker on this function's tables and bucket."""
    ours = stores()
    return Worker(
        ours.exports,
        ours.meters,
        ours.readings,
        ours.export_files,
        contracts=lambda: ours.contract_lines,
    )
