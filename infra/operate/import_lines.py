"""The lines of a file of contracts (ndjson), and the events that give each contract its dates."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from domain.contracts.contract import ComponentState, Contract
from domain.contracts.events import Action, Component, ComponentEvent, EventType
from domain.contracts.timelines import Span, advance, timeline
from domain.contracts.verdicts import Code, decide
from domain.instants import EARLIEST, format_instant, parse_date, parse_instant

_AFTER_START = timedelta(microseconds=1)

Payload = dict[str, Any]


class UnusableLineError(Exception):
    """A line without a valid contract."""


class SentEvent(NamedTuple):
    """An event to send, and its code on a contract without any events."""

    payload: Payload
    expected_code: str = Code.ACCEPTED


class ImportLine(NamedTuple):
    """A contract of the file, and its events in the order in which they have to be decided."""

    number: str
    contract: Payload
    events: list[SentEvent]
    is_reproduced: bool
    """Whether the events, on a contract without any, give the dates of the line."""


def read_line(text: str) -> ImportLine:
    """Read a line: `contract_number`, `components` with their dates, perhaps `created_at` and `events`.

    Where there are no events, the dates become events of their own, which are older than any real one: made
    when the contract was created, or in the year 2000 if the line has no `created_at`.

    Raises:
        UnusableLineError: the line has another form.
    """
    try:
        line = json.loads(text)
        number, components = str(line["contract_number"]), line["components"]
        contract = {"contract_number": line["contract_number"], "components": list(components)}
        if line.get("created_at") is not None:
            contract["created_at"] = line["created_at"]
        spans = {
            Component(name): Span(_date(span.get("start")), _date(span.get("end")))
            for name, span in (components.items() if isinstance(components, dict) else ())
        }
        if line.get("events") is None:
            events = _events_of(number, spans, line.get("created_at"))
            return ImportLine(number, contract, events, is_reproduced=True)
        chosen, is_reproduced = _chosen(number, spans, list(_standing(line["events"])))
        return ImportLine(number, contract, chosen, is_reproduced)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnusableLineError(_reason_of(error)) from error


def _reason_of(error: Exception) -> str:
    match error:
        case json.JSONDecodeError():
            return f"must be JSON: {error}"
        case KeyError():
            return f"must have {error.args[0]}"
        case ValueError():
            return str(error)
        case _:
            return "must be a contract like those of an export"


def _date(text: str | None) -> date | None:
    return None if text is None else parse_date(text)


def _events_of(number: str, spans: Mapping[Component, Span], created_at: str | None) -> list[SentEvent]:
    made_at = EARLIEST if created_at is None else parse_instant(created_at)
    return [
        SentEvent(
            {
                "type": EventType.of(component, action),
                "contract_number": number,
                "date": day.isoformat(),
                "created_at": format_instant(
                    made_at + (_AFTER_START if action is Action.END else timedelta(0))
                ),
                "id": f"import:{component}:{action}:{day.isoformat()}",
            }
        )
        for component, span in spans.items()
        for action, day in ((Action.START, span.start), (Action.END, span.end))
        if day is not None
    ]


def _standing(rows: Sequence[Payload]) -> Iterator[Payload]:
    """Yield the decided events that were not voided."""
    voided = {row["voids"] for row in rows if row.get("kind") == "voided"}
    for row in rows:
        if row.get("kind", "decided") == "decided" and row.get("key") not in voided:
            yield row


def _sent(number: str, row: Payload) -> SentEvent:
    payload = {name: row[name] for name in ("type", "date", "created_at")}
    # Without an id of the publisher, the key of the row is used: sent again, it is the same event.
    event_id = row.get("id") or f"import:{row.get('key') or ':'.join(payload.values())}"
    return SentEvent(payload | {"contract_number": number, "id": event_id})


def _chosen(
    number: str, spans: Mapping[Component, Span], rows: Sequence[Payload]
) -> tuple[list[SentEvent], bool]:
    """Return the events that give the dates, in the order to send them, and whether there are such.

    In the order of arrival, or, as after a replay, in that of `created_at`; without those that were refused
    because the contract did not have the component yet, if they would count now.
    """
    events = [_sent(number, row) for row in rows]
    configured = [
        event
        for event, row in zip(events, rows, strict=True)
        if row.get("code") != Code.COMPONENT_NOT_CONFIGURED
    ]
    for sent in (events, configured):
        by_creation = sorted(sent, key=lambda event: parse_instant(event.payload["created_at"]))
        for ordered in (sent, by_creation):
            decided, dates = _decided(number, list(spans), ordered)
            if dates == dict(spans):
                return decided, True
    return _decided(number, list(spans), events)[0], False


def _decided(
    number: str, components: Sequence[Component], events: Sequence[SentEvent]
) -> tuple[list[SentEvent], dict[Component, Span]]:
    """Return the codes and the dates that events give on a contract without any."""
    contract = Contract(number, "", EARLIEST, dict.fromkeys(components, ComponentState()))
    decided = []
    for sent in events:
        payload = sent.payload
        event = ComponentEvent(
            EventType(payload["type"]),
            number,
            parse_date(payload["date"]),
            parse_instant(payload["created_at"]),
            payload["id"],
        )
        verdict = decide(contract, event)
        decided.append(sent._replace(expected_code=verdict.code))
        if verdict.accepted:
            component = event.type.component
            state = advance(contract.components[component], event)
            contract = contract.with_states({**contract.components, component: state})
    return decided, timeline(contract)
