"""Which event counts, and why others do not.

`decide` is the only place with the rules in Python. `infra.contracts.event_conditions` says the same
as the condition of a DynamoDB write; `tests/infra/contracts/test_conditions.py` proves over every small case that
both agree.
"""

from enum import StrEnum
from typing import NamedTuple

from domain.contracts.contract import ComponentState, Contract, ContractNotFoundError
from domain.contracts.events import Action, ComponentEvent, Occurrence


class Code(StrEnum):
    """The outcome of the rules for one event."""

    ACCEPTED = "accepted"
    CONTRACT_NOT_FOUND = "contract_not_found"
    COMPONENT_NOT_CONFIGURED = "component_not_configured"
    RESTART_AFTER_END = "restart_after_end"
    STALE_START = "stale_start"
    START_AFTER_END_DATE = "start_after_end_date"
    END_WITHOUT_START = "end_without_start"
    END_BEFORE_START = "end_before_start"
    STALE_END = "stale_end"


RETRYABLE = frozenset({Code.END_WITHOUT_START, Code.CONTRACT_NOT_FOUND})
"""Refusals that an event which overtook another may meet; on the bus they are final on the last receive only."""


class Verdict(NamedTuple):
    """The decision about one event, and the stored event that blocks it, if any."""

    code: Code
    blocked_by: Occurrence | None = None

    @property
    def accepted(self) -> bool:
        """Whether the event counts."""
        return self.code is Code.ACCEPTED


ACCEPTED = Verdict(Code.ACCEPTED)


def decide(contract: Contract | None, event: ComponentEvent) -> Verdict:
    """Decide about `event` in the present state of `contract`; the first broken rule is the verdict.

    A `contract` of None is one that does not exist.
    """
    if contract is None:
        return Verdict(Code.CONTRACT_NOT_FOUND)
    state = contract.components.get(event.type.component)
    if state is None:
        return Verdict(Code.COMPONENT_NOT_CONFIGURED)
    return _decide_start(state, event) if event.type.action is Action.START else _decide_end(state, event)


def _decide_start(state: ComponentState, event: ComponentEvent) -> Verdict:
    start, end = state.start, state.end
    if end and event.created_at >= end.created_at:
        return Verdict(Code.RESTART_AFTER_END, end)
    if start and event.created_at <= start.created_at:
        return Verdict(Code.STALE_START, start)
    if end and event.date > end.date:
        return Verdict(Code.START_AFTER_END_DATE, end)
    return ACCEPTED


def _decide_end(state: ComponentState, event: ComponentEvent) -> Verdict:
    start, end = state.start, state.end
    if start is None:
        return Verdict(Code.END_WITHOUT_START)
    if event.created_at <= start.created_at:
        return Verdict(Code.END_BEFORE_START, start)
    if end and event.created_at <= end.created_at:
        return Verdict(Code.STALE_END, end)
    if event.date < start.date:
        return Verdict(Code.END_BEFORE_START, start)
    return ACCEPTED


_SENTENCES = {
    Code.ACCEPTED: "Event processed successfully.",
    Code.COMPONENT_NOT_CONFIGURED: "Component {component} is not configured for contract {contract}.",
    Code.RESTART_AFTER_END: "Component {component} cannot be restarted after its end was created.",
    Code.STALE_START: "The start event is older or equal to the start of {component} that counts.",
    Code.START_AFTER_END_DATE: "The start date {date} of {component} is after end date {other_date}.",
    Code.END_WITHOUT_START: "The end of {component} requires a start event.",
    Code.STALE_END: "The end event is older or equal to the end of {component} that counts.",
}
_CREATED_BEFORE_START = "The end event of {component} was created at the time of or before start event."
_DATED_BEFORE_START = "The end date {date} of {component} is before start date {other_date}."


def explain(verdict: Verdict, event: ComponentEvent) -> str:
    """Return a verdict as a sentence for the caller."""
    blocker = verdict.blocked_by
    if verdict.code is Code.CONTRACT_NOT_FOUND:
        return str(ContractNotFoundError(event.contract_number))
    if verdict.code is Code.END_BEFORE_START:
        too_old = blocker is not None and event.created_at <= blocker.created_at
        sentence = _CREATED_BEFORE_START if too_old else _DATED_BEFORE_START
    else:
        sentence = _SENTENCES[verdict.code]
    return sentence.format(
        component=event.type.component,
        contract=event.contract_number,
        date=event.date,
        other_date=blocker and blocker.date,
    )
