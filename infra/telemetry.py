"""Logs and metrics, in the forms CloudWatch reads."""

from collections import Counter
from collections.abc import Iterable

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from domain.contracts import ComponentEvent
from domain.instants import print_instant
from domain.timelines import Code, Verdict
from infra.settings import Settings, settings

logger = Logger()

Decided = tuple[ComponentEvent, Verdict]
"""An event and the verdict on it, once; a repeated answer decides nothing."""


def report(decided: Iterable[Decided]) -> None:
    """Log each decided event, and count them: EventsAccepted, and EventsRejected by code.

    A metric's dimensions are the service, the stage and the code; contract numbers stay in the log.
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
            created_at=print_instant(event.created_at),
        )
    for code, count in codes.items():
        accepted = code is Code.ACCEPTED
        name = "EventsAccepted" if accepted else "EventsRejected"
        with single_metric(name=name, unit=MetricUnit.Count, value=count) as metric:
            metric.add_dimension(name="stage", value=settings(Settings).stage)
            if not accepted:
                metric.add_dimension(name="code", value=code)
