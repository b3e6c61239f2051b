"""Batches of messages and records, as Lambda passes them to a function and as the function answers them.

Not Powertools' batch utility: its imports, asyncio and the events of all services among them, would be a sixth of
the cold start of these functions.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

BatchAnswer = dict[str, list[dict[str, str]]]


class QueueMessage(NamedTuple):
    """A message of SQS; `receives` counts how often it was received, this time included."""

    id: str
    body: str
    receipt_handle: str
    receives: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "QueueMessage":
        """Read a record of Lambda's event."""
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        return cls(record["messageId"], record["body"], record["receiptHandle"], receives)


def answer_of(failed: Iterable[str]) -> BatchAnswer:
    """Return the answer after which Lambda delivers only the failed items again, named by their ids.

    Of a stream the first of them is enough: everything from there on is delivered again.
    """
    return {"batchItemFailures": [{"itemIdentifier": item} for item in failed]}
