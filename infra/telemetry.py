"""Logs and metrics, in the formats that CloudWatch reads."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from domain.contracts.events import ComponentEvent
from domain.contracts.verdicts import Code, Verdict
from domain.instants import format_instant
from infra.settings import Settings, settings

logger = Logger()

Decided = tuple[ComponentEvent, Verdict]
"""An event and its verdict. Each decision is reported once; a repeated answer is not a decision."""


def report(decided: Iterable[Decided]) -> None:
    """Log each decided event, and count them in the metrics EventsAccepted and EventsRejected (by code).

    The dimensions are the service, the stage and the code; contract numbers are only in the log.
    """
    codes: Counter[Code] = Counter()
    for event, verdict in decided:
        codes[verdict.code] += 1
        logger.info(
            "Event decided",
            code=verdict.code,
            contract_number=event.contract_number,
            component=event.type.component,
            action=event.type.action,
            created_at=format_instant(event.created_at),
        )
    for code, times in codes.items():
        if code is Code.ACCEPTED:
            count("EventsAccepted", times)
        else:
            count("EventsRejected", times, code=code)


def log_action(action: str, outcome: str, *, actor: str, target: str | None, **facts: object) -> None:
    """Log an action with its actor, its target and its outcome: done (INFO), refused, throttled or failed (WARNING)."""
    present: dict[str, Any] = {name: fact for name, fact in facts.items() if fact is not None}
    write = logger.info if outcome == "done" else logger.warning
    write("Action", action=action, outcome=outcome, actor=actor, target=target, **present)


def report_unknown(error: Exception, message_id: str | None = None) -> None:
    """Log that it is unknown whether a write took effect, and count it in the metric OutcomeUnknown."""
    logger.error("Outcome unknown", reason=repr(error.__cause__ or error), message_id=message_id)
    count("OutcomeUnknown")


def count(name: str, times: int = 1, **dimensions: str) -> None:
    """Add `times` to a metric with the dimensions service and stage."""
    with single_metric(name=name, unit=MetricUnit.Count, value=times) as metric:
        metric.add_dimension(name="stage", value=settings(Settings).stage)
        for dimension, value in dimensions.items():
            metric.add_dimension(name=dimension, value=value)
