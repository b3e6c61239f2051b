"""Corrections and deletions on a network that loses, doubles and refuses, and in processes that end: no version
is lost, none is invented."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.actors import Actor, ActorKind
from domain.meters.history import Version
from domain.meters.readings import Interval, Reading
from infra.meters import hour_writes
from infra.meters.hour_writes import Counts
from infra.meters.reading_store import ReadingStore
from infra.write_outcomes import WriteFailedError
from tests.conftest import create_table
from tests.faults import Crash, Fault, FaultyNetwork
from tests.proof_level import IS_FULL, IS_LONG
from tests.readings import reading

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

START = datetime(2024, 1, 1, tzinfo=UTC)
ADA = Actor(ActorKind.USER, "1", "ada")
HOURS = 3
MADE = 1_700_000_000_000_000
TIMESTAMPS = [START + timedelta(hours=hour, minutes=minute) for hour in range(HOURS) for minute in (0, 30)]

FAULTS = (
    [fault for fault in Fault if fault is not Fault.NONE]
    if IS_LONG
    # A crash before a sending leaves what one after the sending before it leaves.
    else [*([Fault.CRASH_BEFORE] if IS_FULL else []), Fault.CRASH_AFTER, Fault.LOST_ANSWER]
)


def upload(value: str, made: int) -> list[Reading]:
    return [reading(at, value, created_at=MADE + made) for at in TIMESTAMPS]


class Case:
    """A table with readings that are corrected, overtaken and deleted, on a network with faults."""

    def __init__(self, store: ReadingStore, network: FaultyNetwork) -> None:
        self.network = network
        self.store = store
        self.meter_id = uuid4().hex
        self.store.store(self.meter_id, upload("1", 10), ADA)

    def steps(self) -> list[Callable[[], object]]:
        """Return a correction, one that comes too late, and a deletion."""
        whole = Interval(START, START + timedelta(hours=2))
        return [
            lambda: self.store.store(self.meter_id, upload("2", 20), ADA),
            lambda: self.store.store(self.meter_id, upload("3", 15), ADA),
            lambda: self.store.delete(self.meter_id, whole, ADA),
        ]

    def run(self, at: int | None, fault: Fault) -> int:
        """Let `fault` happen to the sending `at`, and do each step until it succeeds; return the sendings."""
        plan = [fault if at == number else Fault.NONE for number in range(60)]
        self.network.faults, before = iter(plan), self.network.sent
        for step in self.steps():
            for _ in range(4):
                try:
                    step()
                except (WriteFailedError, Crash):
                    continue
                break
        return self.network.sent - before

    def histories(self) -> list[str]:
        """Return what the histories say, without the instants of recording."""
        pages = [self.store.versions(self.meter_id, at, 50, None) for at in TIMESTAMPS]
        assert all(page.next_position is None for page in pages)
        return sorted(repr(_without_instants(version)) for page in pages for version in page.versions)


def _without_instants(version: Version) -> Any:
    made = None if version.values is None else version.origin.created_at
    return version.values, made, version.outdated, version.replaced_at is not None


EXPECTED = [
    (("1", "", "", ""), MADE + 10, False, True),
    (("2", "", "", ""), MADE + 20, False, True),
    (("3", "", "", ""), MADE + 15, True, False),
]
DELETED = (None, None, False, False)


def expected() -> list[str]:
    first, second, late = EXPECTED
    in_force = (*second[:3], False)
    return sorted(
        repr(version)
        for at in TIMESTAMPS
        for version in (
            [first, late, second, DELETED] if at < START + timedelta(hours=2) else [first, late, in_force]
        )
    )


@pytest.fixture
def case_of(engine_client: "DynamoDBClient", monkeypatch: pytest.MonkeyPatch) -> Callable[[], Case]:
    # Several transactions for each step: two hours with their past versions in each.
    monkeypatch.setattr(hour_writes, "_MAX_ITEMS", 4)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    network = FaultyNetwork(engine_client)
    store = ReadingStore(engine_client, f"readings-{uuid4().hex}")
    create_table(engine_client, "ReadingsTable", store.table)
    return lambda: Case(store, network)


def differences(case_of: Callable[[], Case]) -> Iterator[str]:
    """Let each fault happen to each sending in turn; give where a history is not as expected."""
    sendings = case_of().run(None, Fault.NONE)
    assert sendings >= 9
    for at in range(sendings):
        for fault in FAULTS:
            case = case_of()
            case.run(at, fault)
            case.network.faults = iter(())
            if case.histories() != expected():
                yield f"{fault} at {at}"


def test_a_fault_before_or_after_any_write_loses_and_invents_no_version(case_of: Callable[[], Case]) -> None:
    assert list(differences(case_of)) == []


def test_past_versions_in_a_write_of_their_own_would_be_lost(
    case_of: Callable[[], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all = ReadingStore._write_all

    def one_by_one(store: ReadingStore, writes: list[Any]) -> bool:
        return all(write_all(store, [write]) for write in writes)

    monkeypatch.setattr(ReadingStore, "_write_all", one_by_one)
    assert next(differences(case_of))


def test_past_versions_take_part_in_the_limit_of_a_transaction(case_of: Callable[[], Case]) -> None:
    case = case_of()
    sizes: list[int] = []
    case.store.client.meta.events.register(
        "provide-client-params.dynamodb.TransactWriteItems",
        lambda params, **_: sizes.append(len(params["TransactItems"])),
    )
    assert case.store.store(case.meter_id, upload("2", 20), ADA) == Counts(6, updated=6)
    assert sorted(sizes) == [2, 4]
