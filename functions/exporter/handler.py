"""What Lambda calls with messages of the export queue."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import finish_imports
from functions.exporter.worker import LeasedError, Worker
from infra.batches import BatchAnswer, QueueMessage, answer_of
from infra.exports.queue import MAX_RECEIVES, job_of
from infra.stores import stores
from infra.telemetry import logger

_RETRY_SECONDS = 15
_LEASED_SECONDS = 60


def handler(event: dict[str, Any], _context: LambdaContext) -> BatchAnswer:
    """Make the files that the messages ask for; the messages that failed are received again."""
    messages = [QueueMessage.of(record) for record in event["Records"]]
    return answer_of(message.id for message in messages if not _is_done(message))


def _is_done(message: QueueMessage) -> bool:
    """Make a file; return whether the message is done with."""
    try:
        _export(message)
    except Exception as error:  # the worker has logged what went wrong with an attempt
        logger.warning("Message to be received again", message_id=message.id, reason=repr(error))
        return False
    return True


def _export(message: QueueMessage) -> None:
    job_id = job_of(message.body)
    logger.append_keys(correlation_id=job_id)
    try:
        worker().run(job_id, is_last_receive=message.receives >= MAX_RECEIVES)
    except LeasedError:
        stores().export_queue.postpone(message.receipt_handle, _LEASED_SECONDS)
        raise
    except Exception:
        stores().export_queue.postpone(message.receipt_handle, _RETRY_SECONDS * message.receives)
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


finish_imports()
