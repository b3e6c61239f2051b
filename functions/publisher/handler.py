"""What Lambda calls with the changes of the table of contracts."""

from functools import cache
from logging import Logger
from typing import Any, cast

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from infra.aws import eventbridge
from infra.contracts.timeline_changes import ChangePublisher, change_of
from infra.settings import PublisherSettings, settings
from infra.telemetry import logger


@cache
def _publisher() -> ChangePublisher:
    return ChangePublisher(eventbridge(), settings(PublisherSettings).event_bus)


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Publish the changes of timelines; answer the first record that is to come again."""
    logger.set_correlation_id(context.aws_request_id)

    def settle(record: DynamoDBRecord) -> None:
        change = change_of(record.raw_event)
        if change:
            _publisher().publish(change)

    processor = BatchProcessor(
        EventType.DynamoDBStreams,
        raise_on_entire_batch_failure=False,
        logger=cast("Logger", logger),  # Powertools' own passes for the standard one
    )
    return process_partial_response(event, settle, processor, context)
