"""Events applied to contracts: one conditional write decides and stores.

The conditions below say in DynamoDB's words what `domain.contracts.timelines.decide` says in Python, so
that no read comes between the decision and the write. `tests/infra/contracts/test_conditions.py` proves
over every small case that both say the same.
"""

import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import uuid4

from botocore.exceptions import ClientError
from domain.contracts.events import Action, ComponentEvent, Occurrence
from domain.contracts.verdicts import ACCEPTED, Code, Verdict, decide, explain

from domain.contracts.contract import Contract
from domain.contracts.trails import Entry, IdempotencyKeyReusedError, Reception
from domain.instants import to_micros
from infra.aws import RANDOM, OutcomeUnknownError, refused_item, write_errors_classified
from infra.contracts.contract_items import Item, generation_of, key_of, read_contract
from infra.contracts.trail_store import NO_CONTRACT, put_of, to_entry

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
    Action.START: "SET #C.#c.#start_at = :at, #C.#c.#start_date = :date, #C.#c.#start_key = :key",
    Action.END: "SET #C.#c.#end_at = :at, #C.#c.#end_date = :date, #C.#c.#end_key = :key",
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
}

IS_THIS_GENERATION = "#generation = :generation"

_ATTEMPTS = 4
"""Times a transaction is sent when it meets another on the same contract, or a throttle."""
_RETRIED = {"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"}
_FIRST_PAUSE_SECONDS = 0.05


class Decision(NamedTuple):
    """What the rules say of an event, or said already when it came before under the same id."""

    verdict: Verdict
    message: str
    repeated: bool = False


class TimelineStore:
    """The timelines of the contracts of one table, and with `audited` their trails."""

    def __init__(self, client: "DynamoDBClient", table: str, *, audited: bool) -> None:
        self.client = client
        self.table = table
        self.audited = audited
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
            OutcomeUnknownError: the answer to a write was lost, or the engine was too busy.
            IdempotencyKeyReusedError: the event's id came before with another payload.
        """
        if self.audited:
            return self._apply_audited(event, reception, retryable)
        return self._apply_plain(event)

    def _apply_plain(self, event: ComponentEvent) -> Decision:
        try:
            with write_errors_classified():
                self.client.update_item(
                    TableName=self.table, ReturnValuesOnConditionCheckFailure="ALL_OLD", **update_of(event)
                )
        except ClientError as error:
            contract = read_contract(refused_item(error))
            # Its own first sending stands in the way: sent again by the SDK, or by the publisher.
            if (counting := _counting_occurrence(contract, event)) is not None and counting.key == event.key:
                if (counting.date, counting.created_at) != (event.date, event.created_at):
                    raise IdempotencyKeyReusedError from error
                return _decision(ACCEPTED, event, repeated=event.id is not None)
            return _decision(_refusal(contract, event), event)
        return _decision(ACCEPTED, event)

    def _apply_audited(
        self, event: ComponentEvent, reception: Reception, retryable: Collection[Code]
    ) -> Decision:
        accepted = Entry(event, ACCEPTED, explain(ACCEPTED, event), reception)
        token = uuid4().hex
        for attempt in range(_ATTEMPTS):
            generation = self._generations.get(event.contract_number, 1)
            try:
                self._accept(accepted, generation, token)
            except ClientError as error:
                refused, recorded = _reasons(error)
                stored = refused.get("Item")
                actual = generation_of(stored) if stored else generation
                if actual != generation:
                    self._generations[event.contract_number] = actual
                elif "Item" in recorded:
                    return _first_answer(recorded["Item"], event, token)
                elif refused.get("Code") == "ConditionalCheckFailed":
                    contract = read_contract(stored)
                    verdict = _refusal(contract, event)
                    if verdict.code in retryable:
                        return _decision(verdict, event)
                    refusal = Entry(event, verdict, explain(verdict, event), reception)
                    return self._refuse(refusal, contract.generation if contract else NO_CONTRACT, token)
                elif not {refused.get("Code"), recorded.get("Code")} & _RETRIED:
                    raise OutcomeUnknownError from error
                else:
                    # Jitter, so that writers that met once do not meet again.
                    time.sleep(RANDOM.uniform(0.5, 1) * _FIRST_PAUSE_SECONDS * 2**attempt)
            else:
                return _decision(ACCEPTED, event)
        raise OutcomeUnknownError

    def _accept(self, entry: Entry, generation: int, token: str) -> None:
        update = update_of(entry.event)
        update["ConditionExpression"] = f"{IS_THIS_GENERATION} AND {update['ConditionExpression']}"
        update["ExpressionAttributeNames"] |= {"#generation": "generation"}
        update["ExpressionAttributeValues"] |= {":generation": {"N": str(generation)}}
        update["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        writes: list[Any] = [
            {"Update": {"TableName": self.table} | update},
            {"Put": {"TableName": self.table} | put_of(entry, generation, token)},
        ]
        # botocore sends the same token with each of its own retries.
        with write_errors_classified():
            self.client.transact_write_items(ClientRequestToken=uuid4().hex, TransactItems=writes)

    def _refuse(self, entry: Entry, generation: int, token: str) -> Decision:
        try:
            with write_errors_classified():
                self.client.put_item(TableName=self.table, **put_of(entry, generation, token))
        except ClientError as error:
            return _first_answer(refused_item(error) or {}, entry.event, token)
        return Decision(entry.verdict, entry.message)


def _reasons(error: ClientError) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return why the update and why the put of a cancelled transaction were refused."""
    update, put = cast("list[dict[str, Any]]", error.response["CancellationReasons"])
    return update, put


def _first_answer(row: Item, event: ComponentEvent, token: str) -> Decision:
    """Answer what stands in the trail under the key of `event`."""
    recorded = to_entry(row)
    first = recorded.event
    if (first.type, first.date, first.created_at) != (event.type, event.date, event.created_at):
        raise IdempotencyKeyReusedError
    # Written by this very call: the SDK sent it again after a lost answer, and nobody repeated anything.
    return Decision(recorded.verdict, recorded.message, repeated=row["token"]["S"] != token)


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
        },
    }
