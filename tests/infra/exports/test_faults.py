"""Writes of jobs and readings on a network that doubles and loses, on DynamoDB Local."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from domain import export_changes, exports
from domain.export_changes import Refusal
from domain.exports import ExportJob, Status
from domain.meters.readings import Interval, Meter, MeterKind, Reading
from infra.exports.job_store import ExportStore
from infra.meters import hour_writes
from infra.meters import reading_store as stored_readings
from infra.meters.hour_writes import Counts
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from infra.write_outcomes import BusyError, OutcomeUnknownError
from tests.conftest import create_table
from tests.faults import Fault, FaultyNetwork
from tests.readings import reading

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2024, 6, 1, tzinfo=UTC)
HOUR = datetime(2024, 1, 1, tzinfo=UTC)
DAY = Interval(HOUR, HOUR + timedelta(days=1))
METER = Meter("m", MeterKind.METERED, NOW)


@pytest.fixture
def network(engine_client: "DynamoDBClient") -> FaultyNetwork:
    return FaultyNetwork(engine_client)


@pytest.fixture
def jobs(engine_client: "DynamoDBClient", network: FaultyNetwork) -> ExportStore:
    table = f"export-jobs-{uuid4().hex}"
    create_table(engine_client, "ExportJobsTable", table)
    return ExportStore(engine_client, table, fresh_id=lambda: uuid4().hex)


@pytest.fixture
def readings(engine_client: "DynamoDBClient", network: FaultyNetwork) -> ReadingStore:
    table = f"readings-{uuid4().hex}"
    create_table(engine_client, "ReadingsTable", table)
    return ReadingStore(engine_client, table)


def hours(count: int) -> list[Reading]:
    return [reading(HOUR + timedelta(minutes=20 * index), "1", "1", "1", "1") for index in range(3 * count)]


@pytest.mark.parametrize("fault", [Fault.DOUBLED, Fault.LOST_ANSWER, Fault.ERROR_AFTER, Fault.THROTTLED])
def test_a_change_that_is_sent_twice_counts_once_and_recognises_itself(
    jobs: ExportStore, network: FaultyNetwork, fault: Fault
) -> None:
    network.faults = iter([fault])
    jobs.create(exports.new_job("job", "m", DAY, "anonymous", NOW))
    network.faults = iter([Fault.NONE, fault])
    claimed = jobs.change("job", partial(export_changes.claim, now=NOW))
    assert isinstance(claimed, ExportJob)
    assert claimed.attempt == 1
    network.faults = iter([Fault.NONE, fault])
    cancelled = jobs.change("job", partial(export_changes.cancel, now=NOW))
    assert isinstance(cancelled, ExportJob)
    assert jobs.change("job", partial(export_changes.cancel, now=NOW)) is Refusal.FINISHED


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.LOST_ANSWER, OutcomeUnknownError),
        (Fault.LOST_REQUEST, BusyError),
        (Fault.ERROR_BEFORE, OutcomeUnknownError),
    ],
)
def test_a_change_that_is_never_answered_is_unknown_unless_it_was_never_sent(
    jobs: ExportStore, network: FaultyNetwork, fault: Fault, error: type[Exception]
) -> None:
    jobs.create(exports.new_job("job", "m", DAY, "anonymous", NOW))
    network.faults = iter([Fault.NONE, fault, fault, fault])
    with pytest.raises(error):
        jobs.change("job", partial(export_changes.cancel, now=NOW))
    job = jobs.get("job")
    assert job is not None
    assert job.status is (Status.CANCELLED if fault is Fault.LOST_ANSWER else Status.PENDING)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.CONFLICT, Fault.ERROR_AFTER])
def test_an_upload_that_is_sent_twice_counts_its_readings_once(
    readings: ReadingStore, network: FaultyNetwork, fault: Fault
) -> None:
    network.faults = iter([Fault.NONE, fault])
    assert readings.store("m", hours(5)) == Counts(15, stored=15)
    assert b"".join(readings.lines(METER, DAY)).count(b"\n") == 15


def test_an_upload_that_is_never_answered_is_unknown_and_harmless_to_repeat(
    readings: ReadingStore, network: FaultyNetwork
) -> None:
    network.faults = iter([Fault.NONE, *[Fault.LOST_ANSWER] * 3])
    with pytest.raises(OutcomeUnknownError):
        readings.store("m", hours(5))
    assert readings.store("m", hours(5)) == Counts(15, unchanged=15)


def test_an_upload_that_conflicts_in_every_attempt_is_refused_as_busy(
    readings: ReadingStore, network: FaultyNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(stored_readings, "_ATTEMPTS", 3)
    network.faults = iter([Fault.NONE, Fault.CONFLICT] * 3)
    with pytest.raises(BusyError):
        readings.store("m", hours(1))


@pytest.mark.parametrize(("most_items", "most_bytes"), [(100, 400), (7, 3_000_000), (100, 3_000_000)])
def test_an_upload_larger_than_a_transaction_takes_several(
    readings: ReadingStore, monkeypatch: pytest.MonkeyPatch, most_items: int, most_bytes: int
) -> None:
    monkeypatch.setattr(hour_writes, "_MAX_ITEMS", most_items)
    monkeypatch.setattr(hour_writes, "_MAX_BYTES", most_bytes)
    sizes: list[int] = []
    readings.client.meta.events.register(
        "provide-client-params.dynamodb.TransactWriteItems",
        lambda params, **_: sizes.append(len(params["TransactItems"])),
    )
    assert readings.store("m", hours(24)) == Counts(72, stored=72)
    assert sum(sizes) == 24
    assert max(sizes) <= most_items
    assert (len(sizes) > 1) is ((most_items, most_bytes) != (100, 3_000_000))
    assert b"".join(readings.lines(METER, DAY)).count(b"\n") == 72


def test_registering_a_meter_again_changes_nothing(
    engine_client: "DynamoDBClient", readings: ReadingStore
) -> None:
    meters = MeterStore(engine_client, readings.table)
    meters.register(METER)
    meters.register(Meter("m", MeterKind.SIMULATED, NOW + timedelta(days=1)))
    assert meters.get("m") == METER
