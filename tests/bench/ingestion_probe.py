"""Applies batches of events as the ingestion function does, in a process of its own, and prints the events a second.

Argument, as JSON: the endpoint of DynamoDB, and the pairs of batch size and threads to measure.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any
from uuid import uuid4

import botocore.session

from domain.contracts.events import ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from infra.aws import _CONFIG
from infra.contracts import apply_events
from infra.contracts.apply_events import Arrival, apply_all
from infra.contracts.timeline_store import Decision, TimelineStore

_ROUNDS = 3
_AT = datetime(2024, 1, 1, tzinfo=UTC)


def _arrivals(count: int) -> list[Arrival]:
    """Return an event for each of `count` contracts."""
    reception = Reception(_AT, Source.BUS, "request")
    events = [
        ComponentEvent(
            EventType.SUPPLY_ENERGY_START,
            str(number),
            _AT.date(),
            _AT + timedelta(seconds=number),
            uuid4().hex,
        )
        for number in range(count)
    ]
    return [Arrival(event, reception) for event in events]


def main() -> None:
    """Measure each pair several times, alternately."""
    order = json.loads(sys.argv[1])
    client: Any = botocore.session.get_session().create_client(
        "dynamodb",
        config=_CONFIG,
        endpoint_url=order["endpoint"],
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    store = TimelineStore(client, "contracts", audited=True)
    rates: dict[str, list[float]] = {}
    for number in range(_ROUNDS + 1):
        for batch, threads in order["pairs"]:
            apply_events._CONTRACTS_AT_ONCE = threads
            arrivals = _arrivals(batch)
            begun = time.perf_counter()
            outcomes = apply_all(store, arrivals)
            seconds = time.perf_counter() - begun
            assert all(isinstance(outcome, Decision) and outcome.verdict.accepted for outcome in outcomes)
            if number:
                rates.setdefault(f"{batch} {threads}", []).append(batch / seconds)
    print(json.dumps({name: median(found) for name, found in rates.items()}))


if __name__ == "__main__":
    main()
