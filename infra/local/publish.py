"""`make publish`: puts the events of a file on the local bus and prints each verdict when it is decided."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from domain.contracts.events import ComponentEvent
from domain.contracts.trails import Entry
from domain.instants import format_instant
from infra.commands.command_error import CommandError
from infra.commands.printing import printable
from infra.commands.run_command import run_command
from infra.contracts.event_messages import DETAIL_TYPE, MalformedMessageError, read_message
from infra.dead_letters import DeadLetter, received
from infra.ingestion_queue import seconds_until_last_receive
from infra.local.dead_letters import reason_of, stage_of
from infra.local.stack import Stack
from infra.operate.command import required_variable

SOURCE = "energy-operations.publisher"
"""The source from which a stage accepts events if PublisherSources is not set."""
_ID_PREFIX = "local-publish"
_MAX_ENTRIES = 10  # of one PutEvents
_PAUSE_SECONDS = 0.5
_PROGRESS_SECONDS = 5
_WAITS_AFTER_SECONDS = 3
"""An event that is not decided sooner is not just on its way."""
_SPARE_SECONDS = 85
"""By default this much longer is waited than the events may wait for each other."""


class Sent(NamedTuple):
    """An event that was sent. `event` is None if it is malformed, `envelope_id` if the bus did not accept it."""

    line: str
    envelope_id: str | None
    detail: Any
    event: ComponentEvent | None


def read_events(text: str, name: str) -> list[Any]:
    """Read one JSON value, a list of them, or a value on each line.

    The values need not be valid events: they are sent anyway, to show what the service does with them.
    CommandError names a line that is not JSON.
    """
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return [
            _read_line(line, f"{name}:{number}")
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()
        ]
    return whole if isinstance(whole, list) else [whole]


def _read_line(line: str, where: str) -> Any:  # noqa: ANN401 - whatever stands there
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{where}: not JSON ({error})") from error


def with_id(detail: Any) -> Any:  # noqa: ANN401 - as above
    """Add an id to an event without one, so that its row in the trail can be found."""
    if isinstance(detail, dict) and detail.get("id") is None:
        return {**detail, "id": f"{_ID_PREFIX}-{uuid4().hex}"}
    return detail


def send(stack: Stack, details: Sequence[Any]) -> list[Sent]:
    """Put `details` on the bus, ten at a time, and print those that it did not accept."""
    events, sent = stack.client("events"), []
    for start in range(0, len(details), _MAX_ENTRIES):
        some = [with_id(detail) for detail in details[start : start + _MAX_ENTRIES]]
        entries = [
            {
                "EventBusName": stack.outputs["event_bus_name"],
                "Source": SOURCE,
                "DetailType": DETAIL_TYPE,
                "Detail": json.dumps(detail),
            }
            for detail in some
        ]
        answer = events.put_events(Entries=entries)
        for detail, entry in zip(some, answer["Entries"], strict=True):
            sent.append(_sent(detail, entry.get("EventId")))
            if answer["FailedEntryCount"] and "EventId" not in entry:
                print(f"{sent[-1].line}  not accepted: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}")
    return sent


def _sent(detail: Any, envelope_id: str | None) -> Sent:  # noqa: ANN401 - as above
    envelope = {"detail-type": DETAIL_TYPE, "time": format_instant(datetime.now(UTC)), "detail": detail}
    try:
        event = read_message(json.dumps(envelope)).event
    except MalformedMessageError:
        shown = json.dumps(detail, ensure_ascii=False)
        return Sent(printable(shown[:80]), envelope_id, detail, None)
    at = format_instant(event.created_at) if detail.get("created_at") else "now"
    line = f"{event.contract_number:<12} {event.type:<27} {event.date} {at:<20}"
    return Sent(line, envelope_id, detail, event)


@dataclass
class Follower:
    """Finds the verdicts of sent events, or the reasons why they became dead letters, and prints them."""

    stack: Stack
    since: datetime
    """When the first event was sent."""
    last_receive: datetime
    """When events that wait for others are decided finally."""
    _dead: Mapping[str | None, DeadLetter] = field(default_factory=dict)
    _known_dead: int = -1
    _said: set[str | None] = field(default_factory=set)

    def print_decided(self, waiting: Sequence[Sent]) -> Iterator[tuple[Sent, bool]]:
        """Print the events that are finished; yield each, with whether it got a verdict."""
        decided = self.stack.decided([sent.event for sent in waiting if sent.event], self.since)
        dead = self._dead_letters()
        for sent in waiting:
            entry = decided.get(sent.event) if sent.event else None
            if entry is not None and _is_row_of(sent, entry):
                again = "  (decided before)" if entry.reception.received_at < self.since else ""
                print(f"{sent.line}  {entry.verdict.code:<24} {entry.message}{again}", flush=True)
                yield sent, True
            elif sent.envelope_id in dead:
                reason = reason_of(dead[sent.envelope_id], self.stack)
                print(f"{sent.line}  dead letter, see `make dlq`: {reason}", flush=True)
                yield sent, False

    def print_waiting(self, undecided: Sequence[Sent]) -> bool:
        """Print once of each event that waits, why and until when; return whether all do."""
        waiting = self.stack.waiting([sent.event for sent in undecided if sent.event])
        for sent in undecided:
            if sent.event in waiting and sent.envelope_id not in self._said:
                self._said.add(sent.envelope_id)
                print(f"{sent.line}  waits: {waiting[sent.event]} {self._until}", flush=True)
        return all(sent.event in waiting for sent in undecided)

    def print_undecided(self, undecided: Sequence[Sent]) -> None:
        """Print what becomes of the events that are not waited for any longer."""
        waiting = self.stack.waiting([sent.event for sent in undecided if sent.event])
        for sent in undecided:
            print(
                f"{sent.line}  {self._until if sent.event in waiting else 'not decided yet, see `make dlq` later'}"
            )

    @property
    def _until(self) -> str:
        return f"It is decided at about {self.last_receive.astimezone():%H:%M:%S}."

    def _dead_letters(self) -> Mapping[str | None, DeadLetter]:
        """Return the dead letters by the ids of their envelopes; read again only if their number has changed."""
        sqs, url = self.stack.client("sqs"), stage_of(self.stack).url_of("ingestion")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        number = sum(int(answer[name]) for name in names)
        if number != self._known_dead:
            with received(sqs, "ingestion", url, wait_seconds=0) as dead_letters:
                self._dead = {dead_letter.envelope_id: dead_letter for dead_letter in dead_letters}
            self._known_dead = number
        return self._dead


def _is_row_of(sent: Sent, entry: Entry) -> bool:
    """Return whether a row belongs to this event, and not to an earlier event with the same id."""
    if sent.event is None:
        return False
    same = (sent.event.type, sent.event.date) == (entry.event.type, entry.event.date)
    # An event without created_at gets the time of its envelope, which is not known here.
    return same and (not sent.detail.get("created_at") or sent.event.created_at == entry.event.created_at)


def follow(follower: Follower, sent: Sequence[Sent], timeout: float) -> bool:
    """Wait at most `timeout` seconds until all `sent` events are decided; return whether they are."""
    undecided = [one for one in sent if one.envelope_id is not None]
    all_decided = len(undecided) == len(sent)
    started = reported = time.monotonic()
    while undecided:
        for one, decided in list(follower.print_decided(undecided)):
            undecided.remove(one)
            all_decided = all_decided and decided
        now = time.monotonic()
        if not undecided:
            break
        if now - started > timeout:
            follower.print_undecided(undecided)
            return False
        if now - started > _WAITS_AFTER_SECONDS and follower.print_waiting(undecided):
            reported = now
        if now - reported > _PROGRESS_SECONDS:
            reported = now
            print(f"... {now - started:.0f} s: {len(undecided)} of {len(sent)} not decided yet", flush=True)
        time.sleep(_PAUSE_SECONDS)
    return all_decided


def publish(environment: Mapping[str, str]) -> int:
    """Send the events of FILE to the bus of RUN_DIR's run; return 0 if each gets a verdict within WAIT seconds."""
    name = required_variable(environment, "FILE", "the file with the events; - is standard input")
    timeout = environment.get("WAIT") or ""
    if timeout and not (timeout.isascii() and timeout.isdecimal()):
        raise CommandError(f"WAIT={timeout} is not a number of seconds")
    stack = Stack.of(environment)
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    details = read_events(text, name)
    since = datetime.now(UTC)
    sent = send(stack, details)
    accepted = sum(one.envelope_id is not None for one in sent)
    print(f"sent {accepted} of {len(details)} events to {stack.outputs['event_bus_name']}", flush=True)
    variables = _ingestion_variables(stack)
    if variables.get("ENABLE_EVENT_AUDIT") == "false":
        print("no trail is kept (ENABLE_EVENT_AUDIT=false): the verdicts are only in the log")
        return 0 if accepted == len(details) else 1
    longest = seconds_until_last_receive(int(variables["MAX_RECEIVES"]))
    follower = Follower(stack, since, datetime.now(UTC) + timedelta(seconds=longest))
    return 0 if follow(follower, sent, float(timeout or longest + _SPARE_SECONDS)) else 1


def _ingestion_variables(stack: Stack) -> Mapping[str, str]:
    function = stack.client("lambda").get_function_configuration(
        FunctionName=stack.outputs["ingestion_function_name"]
    )
    variables: Mapping[str, str] = function["Environment"]["Variables"]
    return variables


if __name__ == "__main__":
    sys.exit(run_command(lambda: publish(os.environ)))
