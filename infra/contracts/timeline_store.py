"""Events applied to contracts: one conditional write decides and stores.

The conditions below say in DynamoDB's words what `domain.contracts.timelines.decide` says in Python, so
that no read comes between the decision and the write. `tests/infra/contracts/test_conditions.py` proves
over every small case that both say the same.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from domain.contracts.contract import Contract
from domain.contracts.events import Action, ComponentEvent, Occurrence
from domain.contracts.trails import Entry, IdempotencyKeyReusedError, Reception
from domain.contracts.verdicts import ACCEPTED, Code, Verdict, decide, explain
from domain.instants import to_micros
from infra.contracts.contract_items import Item, key_of, read_contract
from infra.contracts.trail_store import NO_CONTRACT, put_of, to_entry
from infra.outcomes import Applied, BusyError, OutcomeUnknownError, Refused
from infra.writes import Writer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The clauses. #C.#c is the state of the event's component; an unset start or end is absent, and a
# comparison with an absent attribute is false.
COMPONENT_IS_CONFIGURED = "attribute_exists(#C.#c)"
NO_START_OR_OLDER = "(attribute_not_exists(#C.#c.#start_at) OR #C.#c.#start_at < :at)"
NO_END_OR_NEWER_AND_NOT_EARLIER = (
    "(attribute_not_exists(#C.#c.#end_at) OR (#C.#c.#end_at > :at AND #C.#c.#end_date >= :date))"
)
START_IS_OLDER = "#C.#c.#start_at < :at"
START_DATE_IS_NOT_LATER = "#C.#c.#start_date <= :date"
NO_END_OR_OLDER = "(attribute_not_exists(#C.#c.#end_at) OR #C.#c.#end_at < :at)"

CONDITIONS = {
    # After older starts, before a newer end, not past that end's date. Without the first clause
    # the write would make a contract out of nothing.
    Action.START: f"{COMPONENT_IS_CONFIGURED} AND {NO_START_OR_OLDER} AND {NO_END_OR_NEWER_AND_NOT_EARLIER}",
    # After an older start that is dated no later, and after older ends.
    Action.END: f"{START_IS_OLDER} AND {START_DATE_IS_NOT_LATER} AND {NO_END_OR_OLDER}",
}
UPDATES = {
    Action.START: (
        "SET #C.#c.#start_at = :at, #C.#c.#start_date = :date, #C.#c.#start_key = :key ADD #version :one"
    ),
    Action.END: "SET #C.#c.#end_at = :at, #C.#c.#end_date = :date, #C.#c.#end_key = :key ADD #version :one",
}

# Every name has an alias, since DynamoDB reserves hundreds of words; an unused alias is an error.
_ALIASES = {
    "#C": "components",
    "#start_at": "start_created_at",
    "#start_date": "start_date",
    "#start_key": "start_key",
    "#end_at": "end_created_at",
    "#end_date": "end_date",
    "#end_key": "end_key",
    "#version": "version",
}

IS_THIS_GENERATION = "#generation = :generation"

_MOST_GUESSES = 4
"""Times an event is sent where its contract is deleted and created again between each two."""


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

    def entry(self, verdict: Verdict) -> Entry:
        """Return what the trail is to say under `verdict`."""
        return Entry(self.event, verdict, explain(verdict, self.event), self.reception)


class TimelineStore:
    """The timelines of the contracts of one table, and with `audited` their trails."""

    def __init__(self, client: "DynamoDBClient", table: str, *, audited: bool) -> None:
        self.client = client
        self.table = table
        self.audited = audited
        self.writer = Writer(client)
        # Most numbers were never used twice, so their contract is the first generation. A wrong
        # guess costs one more call and is remembered.
        self._generations: dict[str, int] = {}

    def apply(
        self, event: ComponentEvent, reception: Reception, retryable: Collection[Code] = ()
    ) -> Decision:
        """Let `event` count if the rules allow it, and say what they say.

        With a trail: one transaction where it is accepted, one write more where it is refused.
        Without: one write. A refusal in `retryable` is answered but not written down, since
        the event will come again.

        Raises:
            BusyError: nothing was stored; the contract or the table had no room for it.
            ImpossibleWriteError: nothing was stored, and sending it again will not help.
            OutcomeUnknownError: the answer to a write was lost.
            IdempotencyKeyReusedError: the event's id came before with another payload.
        """
        if not self.audited:
            return self._apply_plain(event)
        attempt = _Attempt(event, reception, uuid4().hex)
        for _ in range(_MOST_GUESSES):
            generation = self._generations.get(event.contract_number, 1)
            outcome = self._accept(attempt, generation)
            if isinstance(outcome, Applied):
                return _decision(ACCEPTED, event)
            decision = self._settle(attempt, outcome, generation, retryable)
            if decision is not None:
                return decision
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
        update = update_of(attempt.event)
        update["ConditionExpression"] = f"{IS_THIS_GENERATION} AND {update['ConditionExpression']}"
        update["ExpressionAttributeNames"] |= {"#generation": "generation"}
        update["ExpressionAttributeValues"] |= {":generation": {"N": str(generation)}}
        update["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        put = put_of(attempt.entry(ACCEPTED), generation, attempt.token)
        put["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return self.writer.transact(
            [{"Update": {"TableName": self.table} | update}, {"Put": {"TableName": self.table} | put}]
        )

    def _settle(
        self, attempt: _Attempt, refused: Refused, generation: int, retryable: Collection[Code]
    ) -> Decision | None:
        """Answer a refused event; None where the guess of its contract's generation was wrong.

        The row counts only once the update has shown that its generation is the contract's: a row of
        a former contract, or one found beside a deleted contract, answers for nobody.
        """
        update, row = refused.reasons
        if not update.failed:
            return _first_answer(row.item or {}, attempt)
        contract = read_contract(update.item)
        if contract is not None and contract.generation != generation:
            self._generations[attempt.event.contract_number] = contract.generation
            return None
        if contract is not None and row.item is not None:
            return _first_answer(row.item, attempt)
        return self._refuse(attempt, contract, retryable)

    def _refuse(self, attempt: _Attempt, contract: Contract | None, retryable: Collection[Code]) -> Decision:
        """Write down why `contract` refuses the event, unless that is not final or was written before."""
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
    # Written by this very call: it was sent again after a lost answer, and nobody repeated anything.
    return Decision(recorded.verdict, recorded.message, repeated=row["token"]["S"] != attempt.token)


def _decision(verdict: Verdict, event: ComponentEvent, *, repeated: bool = False) -> Decision:
    return Decision(verdict, explain(verdict, event), repeated)


def _refusal(contract: Contract | None, event: ComponentEvent) -> Verdict:
    """Explain why the condition refused `event`, by the state that it saw."""
    verdict = decide(contract, event)
    if verdict.accepted:
        # Not to be answered either way: the condition and the rules have come apart.
        raise OutcomeUnknownError
    return verdict


def _counting_occurrence(contract: Contract | None, event: ComponentEvent) -> Occurrence | None:
    """Return the event that counts where `event` would."""
    state = contract.components.get(event.type.component) if contract else None
    if state is None:
        return None
    return state.start if event.type.action is Action.START else state.end


def update_of(event: ComponentEvent) -> dict[str, Any]:
    """Return the key, expression and condition of the write that lets `event` count."""
    update, condition = UPDATES[event.type.action], CONDITIONS[event.type.action]
    return {
        "Key": key_of(event.contract_number),
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#c": event.type.component}
        | {alias: name for alias, name in _ALIASES.items() if alias in update + condition},
        "ExpressionAttributeValues": {
            ":at": {"N": str(to_micros(event.created_at))},
            ":date": {"S": event.date.isoformat()},
            ":key": {"S": event.key},
            ":one": {"N": "1"},
        },
    }
