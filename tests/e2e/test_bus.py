"""The bus on the deployed template: rule, queues, functions and stream as they are, on an emulated AWS."""

import json
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.contracts.contract import Contract
from domain.contracts.events import Component
from domain.contracts.trails import Entry
from domain.contracts.verdicts import Code
from infra.contracts.contract_store import ContractStore
from infra.contracts.trail_store import TrailStore
from infra.dead_letters import received
from infra.ingestion_queue import delay_seconds, seconds_until_last_receive
from infra.local import dead_letters, publish
from infra.local.emulator import Emulator
from infra.local.stack import Stack
from infra.operate.dead_letters import send_back, show
from tests.e2e.conftest import Deployed, shown

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as the other local runs")

EVENTS = Path(__file__).parents[1] / "events"
PATIENCE_SECONDS = 90


class Bus:
    """A deployed stack, and a queue that receives the published changes."""

    def __init__(self, cloud: Emulator, outputs: dict[str, str]) -> None:
        self.cloud = cloud
        self.stack = Stack({**outputs, "aws_endpoint_url": cloud.url})
        table = outputs["contracts_table_name"]
        self.contracts = ContractStore(cloud.client("dynamodb"), table)
        self.trails = TrailStore(cloud.client("dynamodb"), table)
        self.sqs = cloud.client("sqs")
        self._told = self._queue_of_changes()
        self._seen: list[dict[str, Any]] = []

    def _queue_of_changes(self) -> str:
        url = str(self.sqs.create_queue(QueueName="changes")["QueueUrl"])
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        rule = {"Name": "changes", "EventBusName": self.stack.outputs["event_bus_name"]}
        pattern = json.dumps({"detail-type": ["timeline_changed"]})
        self.cloud.client("events").put_rule(**rule, EventPattern=pattern)
        self.cloud.client("events").put_targets(
            Rule="changes", EventBusName=rule["EventBusName"], Targets=[{"Id": "changes", "Arn": arn}]
        )
        return url

    def create(self, number: str) -> Contract:
        return self.contracts.create(Contract.new(number, uuid4().hex, datetime.now(UTC), tuple(Component)))

    def trail(self, number: str) -> list[Entry]:
        contract = self.contracts.get(number)
        assert contract is not None
        return list(self.trails.entries(contract))

    def timeline(self, number: str) -> Any:
        contract = self.contracts.get(number)
        assert contract is not None
        return shown(contract)

    def changes(self, number: str) -> list[dict[str, Any]]:
        """Return the changes of a contract that were published so far."""
        while messages := self.sqs.receive_message(QueueUrl=self._told, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            self._seen += [json.loads(message["Body"])["detail"] for message in messages]
        return [change for change in self._seen if change["contract_number"] == number]

    def dead_letter_ids(self) -> set[str | None]:
        """Return the ids of the dead letters of the ingestion queue, and leave them there."""
        url = dead_letters.stage_of(self.stack).url_of("ingestion")
        with received(self.sqs, "ingestion", url, wait_seconds=0) as found:
            return {dead_letter.envelope_id for dead_letter in found}

    def is_idle(self) -> bool:
        """Return whether no message is waiting for the ingestion function."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.stack.outputs["ingestion_queue_url"]
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return all(counts[name] == "0" for name in names)

    def invoke(self, function: str, payload: str) -> Any:
        """Invoke a function with a recorded payload, as `sam local invoke` does."""
        answer = self.cloud.client("lambda").invoke(
            FunctionName=self.stack.outputs[f"{function}_function_name"],
            Payload=(EVENTS / payload).read_bytes(),
        )
        assert "FunctionError" not in answer
        return json.loads(answer["Payload"].read())


@pytest.fixture(scope="module")
def bus(deployed: Deployed) -> Bus:
    return Bus(deployed.cloud, deployed.outputs)


def until(fact: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.1)


def event(kind: str = "start", **changes: Any) -> dict[str, Any]:
    return {
        "type": f"supply_energy_{kind}",
        "contract_number": "2001",
        "date": "2024-01-01",
        "created_at": "2023-12-01T00:00:00Z",
    } | changes


START = event(id="start")
END = event("end", id="end", date="2024-06-01", created_at="2023-12-02T00:00:00Z")


def test_a_late_start_duplicates_and_malformed_messages_leave_the_right_timeline(
    bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    bus.create("2001")
    since, logged = datetime.now(UTC), len(bus.cloud.log.read_text())
    end = publish.send(bus.stack, [END])
    until(lambda: "(1 partial failures)" in bus.cloud.log.read_text()[logged:], "the end is refused for now")
    rest = [START, START, event(), {"colour": "green"}, "no object", event(contract_number="20/01")]
    sent = publish.send(bus.stack, rest)
    follower = publish.Follower(bus.stack, since, since)
    assert not publish.follow(follower, end + sent, PATIENCE_SECONDS), "garbage has no verdict"

    codes = [(entry.event.type.action, entry.verdict.code) for entry in bus.trail("2001")]
    assert sorted(codes) == [("end", Code.ACCEPTED), ("start", Code.ACCEPTED), ("start", Code.STALE_START)]
    assert bus.timeline("2001")["energy_supply"] == {"start": "2024-01-01", "end": "2024-06-01"}
    (end_entry,) = [entry for entry in bus.trail("2001") if entry.event.id == "end"]
    waited = end_entry.reception.received_at - since
    assert timedelta(seconds=delay_seconds(1)) <= waited < timedelta(seconds=PATIENCE_SECONDS)
    assert bus.dead_letter_ids() == {one.envelope_id for one in sent if one.event is None}

    until(lambda: len(bus.changes("2001")) >= 2, "both changes are published")
    published = bus.changes("2001")
    assert [change["after"]["energy_supply"] for change in published] == [
        {"start": "2024-01-01", "end": None},
        {"start": "2024-01-01", "end": "2024-06-01"},
    ]
    lines = capsys.readouterr().out
    assert lines.count("Event processed successfully.") == 3  # the end, and the start that came twice
    for reason in ("older or equal", "colour: is not a field", "detail: must be a JSON object"):
        assert reason in lines


def test_an_event_of_a_source_that_is_not_listed_is_ignored(bus: Bus) -> None:
    bus.create("2002")
    entry = {"EventBusName": bus.stack.outputs["event_bus_name"], "DetailType": "component_event"}
    stranger = {
        **entry,
        "Source": "stranger",
        "Detail": json.dumps(event(contract_number="2002", id="theirs")),
    }
    assert bus.cloud.client("events").put_events(Entries=[stranger])["FailedEntryCount"] == 0
    publish.send(bus.stack, [event(contract_number="2002", id="ours")])
    until(lambda: bus.trail("2002") != [], "the event of the listed source is decided")
    assert [entry.event.id for entry in bus.trail("2002")] == ["ours"]


def events_of(numbers: list[str]) -> list[dict[str, Any]]:
    """Return 63 events of nine contracts, in the order of `created_at`."""
    return [
        event(
            id=f"e{index}",
            contract_number=numbers[index % 9],
            date=f"2024-{index // 28 + 1:02}-{index % 28 + 1:02}",
            created_at=f"2023-12-01T00:{index // 60:02}:{index % 60:02}Z",
        )
        for index in range(63)
    ]


def test_of_100_messages_7_are_dead_letters_and_each_event_has_one_row_and_one_change(bus: Bus) -> None:
    numbers = [f"30{index:02}" for index in range(9)]
    for number in numbers:
        bus.create(number)
    before = len(bus.dead_letter_ids())
    events = events_of(numbers)
    malformed = [event(contract_number=f"bad {index}") for index in range(7)]
    messages = [*events[:20], *malformed, *events[20:], *events[:30]]
    assert len(messages) == 100
    publish.send(bus.stack, messages)
    until(
        lambda: bus.is_idle() and len(bus.dead_letter_ids()) == before + 7,
        "seven are dead letters, the others are decided",
    )

    rows = [entry for number in numbers for entry in bus.trail(number)]
    assert sorted(str(entry.event.id) for entry in rows) == sorted(f"e{index}" for index in range(63))
    for number in numbers:
        accepted = [entry for entry in bus.trail(number) if entry.verdict.accepted]
        until(lambda n=number, a=accepted: len(bus.changes(n)) >= len(a), "each change is published")  # type: ignore[misc]
        published = bus.changes(number)
        assert len({change["id"] for change in published}) == len(published) == len(accepted)
        assert published[-1]["after"] == bus.timeline(number)
    assert bus.is_idle(), "the service does not receive what it publishes"

    stage = dead_letters.stage_of(bus.stack)
    listed = "\n".join([*show(stage), *send_back(stage, datetime.now(UTC))])
    assert listed.count("contract_number: String should match pattern") >= 7
    assert f"dead letters: rule 0, ingestion {before + 7}, publisher 0" in listed
    assert f"ingestion: {before + 7} sent back" in listed
    until(
        lambda: bus.is_idle() and len(bus.dead_letter_ids()) == before + 7,
        "malformed messages become dead letters again",
    )


def test_events_that_the_bus_does_not_accept_are_reported_and_not_awaited(
    bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = Stack(
        {**bus.stack.outputs, "event_bus_name": "arn:aws:events:eu-central-1:1:event-bus/nowhere"}
    )
    sent = publish.send(nowhere, [START])
    assert sent[0].envelope_id is None
    assert "not accepted" in capsys.readouterr().out
    now = datetime.now(UTC)
    assert not publish.follow(publish.Follower(nowhere, now, now), sent, timeout=0)


def test_an_event_of_an_unknown_contract_is_said_once_to_wait_and_until_when(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outputs.json").write_text(
        json.dumps({**bus.stack.outputs, "aws_endpoint_url": bus.cloud.url})
    )
    (tmp_path / "events").write_text(json.dumps(event(contract_number="unknown", id="early")))
    started = datetime.now(UTC)
    settings = {"RUN_DIR": str(tmp_path), "FILE": str(tmp_path / "events")}
    assert publish.publish({**settings, "WAIT": "12"}) == 1
    lines = capsys.readouterr().out.splitlines()
    _, waits, at_the_end = lines
    assert "  waits: Contract" in waits
    until_when = re.search(r"It is decided at about (\d\d:\d\d:\d\d)\.$", waits)
    assert until_when is not None
    latest = started.astimezone() + timedelta(seconds=seconds_until_last_receive(6))
    assert until_when[1] in {f"{latest + timedelta(seconds=late):%H:%M:%S}" for late in range(12)}
    assert at_the_end.endswith(until_when[0])
    bus.create("unknown")
    assert publish.publish(settings) == 0
    assert "Event processed successfully." in capsys.readouterr().out


def test_the_functions_accept_the_recorded_payloads(bus: Bus) -> None:
    bus.create("1001")
    answer = bus.invoke("api", "http_api_event.json")
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (200, "accepted")
    assert bus.invoke("ingestion", "ingestion_batch.json") == {"batchItemFailures": []}
    assert bus.invoke("publisher", "stream_batch.json") == {"batchItemFailures": []}
    assert {entry.reception.source for entry in bus.trail("1001")} == {"api", "bus"}
    recorded = "c4ca4238a0b923820dcc509a6f75849b"
    until(lambda: recorded in [change["id"] for change in bus.changes("1001")], "the change is published")
