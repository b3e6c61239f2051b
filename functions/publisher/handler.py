"""What Lambda calls with the changes of the table of contracts."""

from logging import Logger
from typing import Any, cast

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from infra.contracts.timeline_changes import messages_of, number_of
from infra.stores import stores
from infra.telemetry import logger


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Publish the changes of contracts and timelines; return the first record that has to be delivered again."""
    logger.set_correlation_id(context.aws_request_id)

    def settle(record: DynamoDBRecord) -> None:
        try:
            messages = messages_of(record.raw_event)
            if messages:
                stores().change_publisher.publish(messages)
        except Exception:
            # The dead letter does not contain the number of the contract, which `make announce` needs.
            logger.error("Change not published", contract_number=number_of(record.raw_event))
            raise

    processor = BatchProcessor(
        EventType.DynamoDBStreams,
        raise_on_entire_batch_failure=False,
        logger=cast("Logger", logger),  # Powertools' own passes for the standard one
    )
    return process_partial_response(event, settle, processor, context)
