"""What Lambda calls with the changes of the table of contracts."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import finish_imports
from infra.batches import BatchAnswer, answer_of
from infra.contracts.publish_changes import publish_changes
from infra.stores import stores
from infra.telemetry import logger


def handler(event: dict[str, Any], context: LambdaContext) -> BatchAnswer:
    """Publish the changes of contracts and timelines; return the first record that has to be delivered again."""
    logger.set_correlation_id(context.aws_request_id)
    records = event["Records"]
    failed = publish_changes(stores().change_publisher, records)
    return answer_of(records[place]["dynamodb"]["SequenceNumber"] for place in failed[:1])


finish_imports()
