"""Logs and metrics, in the formats that CloudWatch reads."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from domain.actors import Actor, ActorKind
from domain.contracts.events import ComponentEvent
from domain.contracts.verdicts import Code, Verdict
from domain.instants import format_instant
from infra.settings import Settings, settings

# No message is JSON, as which Powertools would otherwise try to read each: a twentieth of the time of a line.
logger = Logger(json_deserializer=str)


class Decided(NamedTuple):
    """An event, its verdict and its actor. Each decision is reported once; a repeated answer is not a decision."""

    event: ComponentEvent
    verdict: Verdict
    actor: Actor | None
    envelope_id: str | None = None


def report(decided: Iterable[Decided]) -> None:
    """Log each decided event, and count them in the metrics EventsAccepted and EventsRejected.

    The dimensions are the service and the stage, and of EventsRejected in addition these with the code, as an alarm
    cannot add up codes. Contract numbers are only in the log.
    """
    codes: Counter[Code] = Counter()
    for event, verdict, actor, envelope_id in decided:
        codes[verdict.code] += 1
        envelope: dict[str, Any] = {} if envelope_id is None else {"envelope_id": envelope_id}
        logger.info("Event decided", code=verdict.code, actor=_name(actor), **facts_of(event), **envelope)
    accepted = codes.pop(Code.ACCEPTED, 0)
    if accepted or codes:
        # Also when it is 0: the alarm on the share of refused events computes with both.
        count("EventsAccepted", accepted)
    for code, times in codes.items():
        count("EventsRejected", times, code=code)
    if codes:
        count("EventsRejected", codes.total())


def facts_of(event: ComponentEvent) -> dict[str, Any]:
    """Return what names an event in the log; `event_key` addresses its row in the trail."""
    facts = {
        "contract_number": event.contract_number,
        "component": event.type.component,
        "action": event.type.action,
        "date": event.date.isoformat(),
        "created_at": format_instant(event.created_at),
        "event_key": event.key,
    }
    return facts if event.id is None else facts | {"event_id": event.id}


@contextmanager
def log_lines_with(facts: Mapping[str, object]) -> Iterator[None]:
    """Add `facts` to each log line of the block, on this thread and on those that `in_parallel` starts."""
    logger.thread_safe_append_keys(**facts)
    try:
        yield
    finally:
        logger.thread_safe_remove_keys(facts)


def _name(actor: Actor | None) -> str | None:
    """Name an actor as the log of actions does; a publisher by its account and source."""
    if actor is None:
        return None
    names = [actor.kind, actor.id, actor.name if actor.kind is ActorKind.PUBLISHER else None]
    return ":".join(name for name in names if name is not None)


def log_action(action: str, outcome: str, *, actor: str, target: str | None, **facts: object) -> None:
    """Log an action with its actor, its target and its outcome: done (INFO), refused, throttled or failed (WARNING)."""
    present: dict[str, Any] = {name: fact for name, fact in facts.items() if fact is not None}
    write = logger.info if outcome == "done" else logger.warning
    write("Action", action=action, outcome=outcome, actor=actor, target=target, **present)


def report_unknown(error: Exception) -> None:
    """Log that it is unknown whether a write took effect, and count it in the metric OutcomeUnknown."""
    logger.error("Outcome unknown", reason=reason_of(error))
    count("OutcomeUnknown")


def reason_of(error: Exception) -> str:
    """Return the log's words for why something failed: the error beneath the service's own, if there is one."""
    return repr(error.__cause__ or error)


def count(name: str, times: int = 1, **dimensions: str) -> None:
    """Add `times` to a metric with the dimensions service and stage."""
    emf = _emf()
    metrics = {name: {"Unit": MetricUnit.Count.value, "Value": [times]}}
    all_dimensions = {"stage": settings(Settings).stage, **dimensions, "service": emf.service}
    # Powertools' line without its collection of metrics, which would add as much time as the line takes.
    line = emf.serialize_metric_set(metrics, all_dimensions, {})
    print(json.dumps(line, separators=(",", ":")))  # noqa: T201 - as Powertools does


@cache
def _emf() -> AmazonCloudWatchEMFProvider:
    """Return what writes metrics in the embedded format of CloudWatch."""
    return AmazonCloudWatchEMFProvider()
