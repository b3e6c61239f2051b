"""Events applied to contracts: one conditional write decides and stores.

Its conditions are in `infra.contracts.event_conditions`.
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
"""How often an event is sent while its contract is created again, or corrected, in between."""
_MICROSECOND = timedelta(microseconds=1)


class Decision(NamedTuple):
    """The verdict about an event; `repeated` if it was decided before, under the same id."""

    verdict: Verdict
    message: str
    repeated: bool = False


class _Attempt(NamedTuple):
    """An event that is being written to the trail; `token` identifies the rows that this very call has written."""

    event: ComponentEvent
    reception: Reception
    token: str
    recorded_at: datetime

    def entry(self, verdict: Verdict) -> Entry:
        """Return the entry of the trail under `verdict`."""
        return Entry(
            self.event, verdict, explain(verdict, self.event), self.reception, written_at=self.recorded_at
        )


class TimelineStore:
    """The timelines of the contracts of one table, and with `audited` their trails.

    `now` gives the instant at which a row is recorded.
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
        """Apply `event` if the rules accept it, and return the decision.

        With a trail: one transaction, and one more write if the event is refused.
        Without: one write. A refusal in `retryable` is returned but not stored, since the event
        will be sent again.

        Raises:
            BusyError: nothing was stored; the contract or the table was busy.
            ImpossibleWriteError: nothing was stored, and sending it again will not help.
            OutcomeUnknownError: the response to a write was lost.
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
        # The event itself is stored: the request was resent, or the publisher has sent the event again.
        if (counting := _counting_occurrence(contract, event)) is not None and counting.key == event.key:
            if (counting.date, counting.created_at) != (event.date, event.created_at):
                raise IdempotencyKeyReusedError
            return _decision(ACCEPTED, event, repeated=event.id is not None)
        return _decision(_refusal(contract, event), event)

    def _accept(self, attempt: _Attempt, generation: int) -> Applied | Refused:
        """Apply the event and write its row, if the rules accept it and the row does not exist."""
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
        """Decide about a refused event, or return what to send next.

        It is sent again if the generation of its contract was guessed wrongly, and, with a later instant of recording,
        if the contract has been corrected since that instant.

        The row counts only once the update has shown that its generation is the contract's: a row of
        a former contract, or of a deleted one, decides nothing.
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
        """Store the refusal of the event, unless it is not final or was stored before."""
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
    """Return the decision that the trail has under the key of the event."""
    recorded = to_entry(row)
    first, event = recorded.event, attempt.event
    if (first.type, first.date, first.created_at) != (event.type, event.date, event.created_at):
        raise IdempotencyKeyReusedError
    # With our own token the row is from this very call: the write was resent, and the event is not repeated.
    return Decision(recorded.verdict, recorded.message, repeated=row["token"]["S"] != attempt.token)


def _decision(verdict: Verdict, event: ComponentEvent, *, repeated: bool = False) -> Decision:
    return Decision(verdict, explain(verdict, event), repeated)


def _refusal(contract: Contract | None, event: ComponentEvent) -> Verdict:
    """Return why the condition refused `event`, by the state that it was evaluated on."""
    verdict = decide(contract, event)
    if verdict.accepted:
        # The condition and the rules disagree, so neither answer is right.
        raise OutcomeUnknownError
    return verdict


def _counting_occurrence(contract: Contract | None, event: ComponentEvent) -> Occurrence | None:
    """Return the occurrence that `event` would replace."""
    state = contract.components.get(event.type.component) if contract else None
    if state is None:
        return None
    return state.start if event.type.action is Action.START else state.end
