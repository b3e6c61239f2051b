"""Events applied to contracts: one conditional write decides and stores.

Its conditions stand in `infra.contracts.event_conditions`.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from domain.contracts.contract import Contract
from domain.contracts.events import Action, ComponentEvent, Occurrence
from domain.contracts.trails import Entry, IdempotencyKeyReusedError, Reception
from domain.contracts.verdicts import ACCEPTED, Code, Verdict, decide, explain
from infra.conditional_writes import Writer
from infra.contracts.contract_items import Item, read_contract
from infra.contracts.event_conditions import recorded_update_of, update_of
from infra.contracts.event_payloads import utc_now
from infra.contracts.trail_rows import NO_CONTRACT, put_of, to_entry
from infra.write_outcomes import Applied, BusyError, OutcomeUnknownError, Refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_MOST_SENDINGS = 6
"""Times an event is sent where its contract is created anew, or corrected, between each two."""
_MICROSECOND = timedelta(microseconds=1)


class Decision(NamedTuple):
    """What the rules say of an event, or said already when it came before under the same id."""

    verdict: Verdict
    message: str
    repeated: bool = False


class _Attempt(NamedTuple):
    """An event on its way into the trail; `token` recognises the rows that this very call wrote."""

    event: ComponentEvent
    reception: Reception
    token: str
    recorded_at: datetime

    def entry(self, verdict: Verdict) -> Entry:
        """Return what the trail is to say under `verdict`."""
        return Entry(
            self.event, verdict, explain(verdict, self.event), self.reception, written_at=self.recorded_at
        )


class TimelineStore:
    """The timelines of the contracts of one table, and with `audited` their trails.

    `now` says when a row is recorded.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        audited: bool,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.client = client
        self.table = table
        self.audited = audited
        self.now = now
        self.writer = Writer(client)
        # Most numbers were never used twice, so their contract is the first generation. A wrong
        # guess costs one more call, and the right one is remembered.
        self._generations: dict[str, int] = {}

    def apply(
        self, event: ComponentEvent, reception: Reception, retryable: Collection[Code] = ()
    ) -> Decision:
        """Let `event` count if the rules allow it, and say what they say.

        With a trail: one transaction where it is accepted, one write more where it is refused.
        Without: one write. A refusal in `retryable` is answered but not stored, since the event
        will be sent again.

        Raises:
            BusyError: nothing was stored; the contract or the table was busy.
            ImpossibleWriteError: nothing was stored, and sending it again will not help.
            OutcomeUnknownError: the answer to a write was lost.
            IdempotencyKeyReusedError: the event's id was used before with another payload.
        """
        if not self.audited:
            return self._apply_plain(event)
        attempt = _Attempt(event, reception, uuid4().hex, self.now())
        for _ in range(_MOST_SENDINGS):
            generation = self._generations.get(event.contract_number, 1)
            outcome = self._accept(attempt, generation)
            if isinstance(outcome, Applied):
                return _decision(ACCEPTED, event)
            settled = self._settle(attempt, outcome, generation, retryable)
            if isinstance(settled, Decision):
                return settled
            attempt = settled
        raise BusyError

    def _apply_plain(self, event: ComponentEvent) -> Decision:
        outcome = self.writer.update(TableName=self.table, **update_of(event))
        if isinstance(outcome, Applied):
            return _decision(ACCEPTED, event)
        contract = read_contract(outcome.item)
        # Its own first sending stands in the way: sent again by the SDK, or by the publisher.
        if (counting := _counting_occurrence(contract, event)) is not None and counting.key == event.key:
            if (counting.date, counting.created_at) != (event.date, event.created_at):
                raise IdempotencyKeyReusedError
            return _decision(ACCEPTED, event, repeated=event.id is not None)
        return _decision(_refusal(contract, event), event)

    def _accept(self, attempt: _Attempt, generation: int) -> Applied | Refused:
        """Let the event count and write its row, if it is allowed and there is no such row."""
        update = recorded_update_of(attempt.event, generation, attempt.recorded_at)
        update["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        put = put_of(attempt.entry(ACCEPTED), generation, attempt.token)
        put["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return self.writer.transact(
            [{"Update": {"TableName": self.table} | update}, {"Put": {"TableName": self.table} | put}]
        )

    def _settle(
        self, attempt: _Attempt, refused: Refused, generation: int, retryable: Collection[Code]
    ) -> Decision | _Attempt:
        """Answer a refused event, or return what to send next.

        It is sent again where the generation of its contract was guessed wrongly, and, recorded later,
        where the contract was corrected since its row was to be recorded.

        The row counts only once the update has shown that its generation is the contract's: a row of
        a former contract, or one found beside a deleted contract, answers for nobody.
        """
        update, row = refused.reasons
        if not update.failed:
            return _first_answer(row.item or {}, attempt)
        contract = read_contract(update.item)
        if contract is not None and contract.generation != generation:
            self._generations[attempt.event.contract_number] = contract.generation
            return attempt
        if contract is not None and row.item is not None:
            return _first_answer(row.item, attempt)
        if contract is not None and contract.corrected_at and contract.corrected_at >= attempt.recorded_at:
            return attempt._replace(recorded_at=max(self.now(), contract.corrected_at + _MICROSECOND))
        return self._refuse(attempt, contract, retryable)

    def _refuse(self, attempt: _Attempt, contract: Contract | None, retryable: Collection[Code]) -> Decision:
        """Store why `contract` refuses the event, unless that is not final or was stored before."""
        verdict = _refusal(contract, attempt.event)
        if verdict.code in retryable:
            return _decision(verdict, attempt.event)
        generation = contract.generation if contract else NO_CONTRACT
        put = put_of(attempt.entry(verdict), generation, attempt.token)
        outcome = self.writer.put(TableName=self.table, **put)
        if isinstance(outcome, Refused):
            return _first_answer(outcome.item or {}, attempt)
        return _decision(verdict, attempt.event)


def _first_answer(row: Item, attempt: _Attempt) -> Decision:
    """Answer what stands in the trail under the key of the event."""
    recorded = to_entry(row)
    first, event = recorded.event, attempt.event
    if (first.type, first.date, first.created_at) != (event.type, event.date, event.created_at):
        raise IdempotencyKeyReusedError
    # Stored by this very call: it was resent after a lost answer, and nobody repeated anything.
    return Decision(recorded.verdict, recorded.message, repeated=row["token"]["S"] != attempt.token)


def _decision(verdict: Verdict, event: ComponentEvent, *, repeated: bool = False) -> Decision:
    return Decision(verdict, explain(verdict, event), repeated)


def _refusal(contract: Contract | None, event: ComponentEvent) -> Verdict:
    """Explain why the condition refused `event`, by the state that it saw."""
    verdict = decide(contract, event)
    if verdict.accepted:
        # Not to be answered either way: the condition and the rules disagree.
        raise OutcomeUnknownError
    return verdict


def _counting_occurrence(contract: Contract | None, event: ComponentEvent) -> Occurrence | None:
    """Return the event that counts where `event` would."""
    state = contract.components.get(event.type.component) if contract else None
    if state is None:
        return None
    return state.start if event.type.action is Action.START else state.end
