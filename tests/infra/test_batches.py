"""Batches as Lambda passes them and as they are answered."""

import json
from pathlib import Path

from infra.batches import QueueMessage, answer_of

EVENTS = Path(__file__).parents[1] / "events"


def test_a_message_is_read_from_lambda_s_event() -> None:
    (record,) = json.loads((EVENTS / "ingestion_batch.json").read_text())["Records"]
    message = QueueMessage.of(record)
    assert (message.id, message.receives) == ("059f36b4-87a3-44ab-83d2-661975830a7d", 1)
    assert json.loads(message.body)["detail-type"] == "component_event"


def test_only_what_failed_is_named() -> None:
    assert answer_of([]) == {"batchItemFailures": []}
    assert answer_of(["b", "a"]) == {"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}]}
