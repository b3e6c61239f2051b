"""An interrupted upload leaves some whole hours; sending it again stores the rest."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import EndpointConnectionError

from domain.meters.readings import Interval, Meter, MeterKind
from infra.meters.hour_writes import Counts
from infra.meters.reading_store import ReadingStore
from infra.write_outcomes import PartlyAppliedError
from tests.conftest import create_table
from tests.readings import reading

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOURS = 250
"""Three transactions of at most a hundred."""
START = datetime(2024, 1, 1, tzinfo=UTC)
ALL = Interval(START, START + timedelta(hours=HOURS))
METER = Meter("m", MeterKind.METERED, START)
UPLOAD = [
    reading(START + timedelta(hours=hour, minutes=minute), "1", "1", "1", "1")
    for hour in range(HOURS)
    for minute in (0, 30)
]


def stamps(store: ReadingStore) -> list[str]:
    lines = b"".join(store.lines(METER, ALL)).decode().splitlines()
    return [line.partition(",")[0] for line in lines]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_sending_an_interrupted_upload_again_completes_it(engine_client: "DynamoDBClient", lost: int) -> None:
    store = ReadingStore(engine_client, f"readings-{uuid4().hex}")
    create_table(engine_client, "ReadingsTable", store.table)
    calls = count()

    def break_off(**_: Any) -> None:
        if next(calls) == lost:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    engine_client.meta.events.register("before-call.dynamodb.TransactWriteItems", break_off)
    with pytest.raises(PartlyAppliedError):
        store.store(METER.id, UPLOAD)

    left = stamps(store)
    assert 0 < len(left) < len(UPLOAD)
    # Hours are stored whole: both readings of one, or neither.
    assert all(
        (f"{hour}:00:00Z" in left) == (f"{hour}:30:00Z" in left) for hour in {stamp[:13] for stamp in left}
    )

    assert store.store(METER.id, UPLOAD) == Counts(
        len(UPLOAD), stored=len(UPLOAD) - len(left), unchanged=len(left)
    )
    assert len(stamps(store)) == len(UPLOAD)
    assert store.store(METER.id, UPLOAD) == Counts(len(UPLOAD), unchanged=len(UPLOAD))
