"""Contracts in: from a file, whole, and killed and sent again; what is exported then is what was imported."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Component, ComponentEvent, EventType
from domain.contracts.trails import Reception, Source
from domain.exports import ContractsOrder, Format
from functions.api.contracts import bulk, events
from functions.api.contracts.schemas import BulkPayload
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.replay import replay
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.contracts.void_event import Target, void_event
from infra.exports.contract_lines import ContractLines
from infra.operate.import_lines import UnusableLineError, read_line
from infra.operate.import_session import ImportSession, Refused
from tests.conftest import create_table
from tests.coroutines import run
from tests.engines import client_of
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONTRACTS = cases(8, 40, 300)
KILLS = cases(4, 12, 100)
# So few that an import has a dozen requests, between which it can be killed.
AT_ONCE = cases(5, 20)
NOW = datetime(2024, 3, 1, tzinfo=UTC)
BY = Correcting(Reception(NOW, Source.API, "request"), utc_now, lambda: uuid4().hex)


class KilledError(BaseException):
    """The import was killed."""


class Stage:
    """A table of contracts on DynamoDB Local, and the two routes that an import uses."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.table = f"contracts-{uuid4().hex}"
        create_table(client, "ContractsTable", self.table)
        self.contracts = ContractStore(client, self.table)
        self.timelines = TimelineStore(client, self.table, audited=True)
        self.trails = TrailStore(client, self.table)
        self.requests = 0
        self.killed_at: float = float("inf")

    def fill(self, random: Random) -> None:
        """Store contracts with some events each, out of order, some refused; replay some, void some events."""
        for index in range(CONTRACTS):
            number = f"c-{index}"
            components = random.sample(list(Component), random.randrange(1, 4))
            created_at = NOW - timedelta(days=random.randrange(300))
            self.contracts.create(Contract.new(number, uuid4().hex, created_at, tuple(components)))
            keys = [uuid4().hex for _ in range(random.randrange(8))]
            for key in keys:
                made_at = NOW + timedelta(minutes=random.randrange(100))
                event_id = uuid4().hex if random.random() < 0.5 else None
                event = ComponentEvent(
                    random.choice(list(EventType)),
                    number,
                    (NOW + timedelta(days=random.randrange(300))).date(),
                    made_at,
                    key,
                    event_id,
                )
                received = Reception(NOW + timedelta(seconds=self.requests), Source.API, "request")
                self.requests += 1
                self.timelines.apply(event, received)
            if random.random() < 0.3:
                replay(self.contracts, self.trails, number, BY, dry_run=False)
            if keys and random.random() < 0.3:
                target = Target(random.choice(keys), "sent for another customer")
                void_event(self.contracts, self.trails, number, target, BY, dry_run=False)

    def export(self, *, trail: bool = False) -> str:
        lines = ContractLines(self.contracts, self.trails)
        order = ContractsOrder(Format.NDJSON, trail=trail)
        return b"".join(block.text for block in lines.blocks(order)).decode()

    def send(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer as the service does; a killed import may have been heard, or not."""
        self.requests += 1
        if self.requests == self.killed_at:
            raise KilledError
        if path == "/contracts":
            payload = bulk.ContractsPayload.model_validate(body)
            contracts = run(bulk.create_contracts(payload, self.contracts))
            answer = contracts.model_dump(mode="json")
        else:
            received = Reception(NOW, Source.API, "request")
            decided = run(events.post_events(BulkPayload.model_validate(body), self.timelines, received))
            answer = decided.model_dump(mode="json", exclude_none=True)
        if self.requests + 0.5 == self.killed_at:
            raise KilledError
        return answer


def import_into(stage: Stage, text: str, at_once: int = 500) -> tuple[ImportSession, list[Refused]]:
    refused: list[Refused] = []
    session = ImportSession(stage.send, refused.append)
    with batches_of(at_once):
        list(session.run(text.splitlines(keepends=True)))
    return session, refused


@contextmanager
def batches_of(size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infra.operate.import_session._AT_ONCE", size)
        yield


@pytest.fixture(scope="module")
def exported(engine: str) -> dict[bool, str]:
    """What a stage exports, without and with trails."""
    source = Stage(client_of(engine))
    source.fill(Random(5))
    return {trail: source.export(trail=trail) for trail in (False, True)}


@pytest.mark.parametrize("trail", [False, True])
def test_what_is_exported_and_imported_elsewhere_is_exported_again_byte_for_byte(
    engine_client: "DynamoDBClient", exported: dict[bool, str], trail: bool
) -> None:
    target = Stage(engine_client)
    session, refused = import_into(target, exported[trail])
    assert refused == []
    assert session.contracts == {"created": CONTRACTS}
    assert target.export() == exported[False]
    assert session.events["accepted"] > CONTRACTS // 2
    session, refused = import_into(target, exported[trail])
    assert refused == []
    assert session.contracts == {"unchanged": CONTRACTS}
    assert set(session.events) == {"repeated"}
    assert target.export() == exported[False]


def test_an_import_that_is_killed_anywhere_and_run_again_ends_the_same(
    engine_client: "DynamoDBClient", exported: dict[bool, str]
) -> None:
    """Nothing is there twice: neither a contract nor a row of a trail."""
    text = exported[True]
    whole = Stage(engine_client)
    import_into(whole, text, at_once=AT_ONCE)
    requests, expected = whole.requests, whole.export(trail=True)
    rows = expected.count('"key"')
    for kill in range(KILLS):
        stage = Stage(engine_client)
        # Every half request: before it is heard, or after it was answered and before anybody knows.
        stage.killed_at = 1 + 0.5 * round(2 * (requests - 1) * kill / KILLS)
        with pytest.raises(KilledError):
            import_into(stage, text, at_once=AT_ONCE)
        stage.killed_at = float("inf")
        _, refused = import_into(stage, text, at_once=AT_ONCE)
        assert refused == []
        assert stage.export() == exported[False]
        assert stage.export(trail=True).count('"key"') == rows


def line(**changes: Any) -> str:
    return json.dumps({"contract_number": "1", "components": {}, **changes})


def test_dates_without_events_become_events_that_anything_real_overrides() -> None:
    spans = {"energy_supply": {"start": "2024-01-01", "end": "2024-02-01"}}
    read = read_line(line(components=spans))
    assert [event.payload["created_at"] for event in read.events] == [
        "2000-01-01T00:00:00Z",
        "2000-01-01T00:00:00.000001Z",
    ]
    assert [event.payload["type"] for event in read.events] == ["supply_energy_start", "supply_energy_end"]
    assert len({event.payload["id"] for event in read.events}) == 2
    dated = read_line(line(components=spans, created_at="2023-01-01T00:00:00Z"))
    assert dated.events[0].payload["created_at"] == "2023-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "7",
        "{}",
        line(components=None),
        line(components={"gas": {}}),
        line(components={"energy_supply": {"start": "tomorrow"}}),
        line(events=[{"type": "supply_energy_start"}]),
        line(created_at="yesterday", components={"energy_supply": {"start": "2024-01-01"}}),
    ],
)
def test_a_line_that_is_no_contract_is_refused(text: str) -> None:
    with pytest.raises(UnusableLineError):
        read_line(text)


def test_events_that_were_voided_are_not_sent() -> None:
    row = {"type": "supply_energy_start", "date": "2024-01-01", "created_at": "2024-01-01T00:00:00Z"}
    events = [
        row | {"kind": "decided", "key": "a", "code": "accepted"},
        row | {"kind": "decided", "key": "b", "code": "stale_start"},
        {"kind": "voided", "key": "c", "voids": "a"},
        {"kind": "replayed", "key": "d"},
    ]
    spans = {"energy_supply": {"start": "2024-01-01", "end": None}}
    read = read_line(line(components=spans, events=events))
    assert [event.payload["id"] for event in read.events] == ["import:b"]
    assert read.is_reproduced


def patched(**dates: Any) -> str:
    """Return a line of a contract that got its heat pump after an event for it had been refused."""
    row = {"type": "supply_energy_start", "date": "2024-01-01", "created_at": "2024-01-01T00:00:00Z"}
    events = [
        row | {"kind": "decided", "key": "a", "code": "accepted"},
        row
        | {"kind": "decided", "key": "b", "type": "heatpump_optimization_start"}
        | {"code": "component_not_configured"},
        {"kind": "changed", "key": "c", "before": ["energy_supply"], "after": ["energy_supply"]},
    ]
    spans = {"energy_supply": {"start": "2024-01-01", "end": None}, "heatpump_optimization": dates}
    return line(components=spans, events=events)


def test_what_was_refused_for_want_of_a_component_is_sent_only_where_the_dates_need_it() -> None:
    never_counted = read_line(patched(start=None, end=None))
    assert [event.payload["id"] for event in never_counted.events] == ["import:a"]
    assert never_counted.is_reproduced
    replayed = read_line(patched(start="2024-01-01", end=None))
    assert [event.payload["id"] for event in replayed.events] == ["import:a", "import:b"]
    assert replayed.is_reproduced


def test_an_event_without_id_and_key_gets_an_id_that_stays_the_same() -> None:
    event = {"type": "supply_energy_start", "date": "2024-01-01", "created_at": "2024-01-01T00:00:00Z"}
    spans = {"energy_supply": {"start": "2024-01-01", "end": None}}
    read = read_line(line(components=spans, events=[event]))
    assert [event.payload["id"] for event in read.events] == [
        "import:supply_energy_start:2024-01-01:2024-01-01T00:00:00Z"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "must be JSON"),
        ('{"components": {}}', "must have contract_number"),
        (line(events=[{"date": "2024-01-01"}]), "must have type"),
        (line(components={"gas": {}}), "'gas' is not a valid Component"),
        (line(components={"energy_supply": {"start": "tomorrow"}}), "must be a date such as 2024-01-31"),
        ("7", "must be a contract like those of an export"),
    ],
)
def test_the_reason_of_a_line_that_is_no_contract_can_be_read(text: str, message: str) -> None:
    with pytest.raises(UnusableLineError, match=message):
        read_line(text)


def test_what_is_refused_is_told_with_its_line_and_its_reason(engine_client: "DynamoDBClient") -> None:
    stage = Stage(engine_client)
    supply = {"energy_supply": {"start": "2024-01-01", "end": None}}
    stage.contracts.create(Contract.new("2", "other", NOW, (Component.HEATPUMP_OPTIMIZATION,)))
    wrong = {"energy_supply": {"start": "2024-01-01", "end": "2023-01-01"}}
    text = "\n".join(
        [
            line(components=supply),
            "nonsense",
            "",
            line(contract_number="2", components=supply),
            line(contract_number="no spaces", components=supply),
            line(contract_number="3", components=wrong),
            line(contract_number="4", components=supply, events=[]),
        ]
    )
    session, refused = import_into(stage, text)
    assert {(one["line"], one["code"]) for one in refused} == {
        (2, "malformed_line"),
        (4, "contract_exists"),
        (5, "malformed_contract"),
        (6, "end_before_start"),
        (7, "timeline_differs"),
    }
    assert session.contracts == {
        "created": 3,
        "malformed_line": 1,
        "contract_exists": 1,
        "malformed_contract": 1,
    }
    assert session.events == {"accepted": 2, "end_before_start": 1}
