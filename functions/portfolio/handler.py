"""What Lambda calls with the changes of the table of contracts, as it calls the publisher."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import finish_imports
from infra.batches import BatchAnswer, answer_of
from infra.portfolio.follow_stream import follow
from infra.stores import stores
from infra.telemetry import logger
from infra.time_left import more_than

_TIME_TO_FINISH_SECONDS = 12
"""No contract is started with less time left: this is the duration of a call that times out three times."""


def handler(event: dict[str, Any], context: LambdaContext) -> BatchAnswer:
    """Apply the changes; return the first record that failed, which is delivered again with all that follow it."""
    logger.set_correlation_id(context.aws_request_id)
    records = event["Records"]
    failed = follow(
        stores().portfolio, stores().event_log, records, more_than(_TIME_TO_FINISH_SECONDS, context)
    )
    return answer_of(records[place]["dynamodb"]["SequenceNumber"] for place in failed[:1])


finish_imports()
