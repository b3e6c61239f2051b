"""Events applied to contracts: one conditional write decides and stores.

The conditions below say in DynamoDB's words what `domain.timelines.decide` says in Python, so
that no read comes between the decision and the write. `tests/infra/test_conditions.py` proves
over every small case that both say the same.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from domain.contracts import Action, ComponentEvent, Contract
from domain.instants import to_micros
from domain.timelines import ACCEPTED, Verdict, decide
from infra.aws import DEPENDENCY_ERRORS, OutcomeUnknownError, condition_failed, refused_item
from infra.contracts import key_of, to_contract

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


_CONTRACTS_AT_ONCE = 10
"""Threads for a batch; the client keeps ten connections, and more threads gain nothing."""


class TimelineStore:
    """The timelines of the contracts of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def apply(self, event: ComponentEvent) -> Verdict:
        """Let `event` count if the rules allow it, and say what they say; one call.

        Raises:
            OutcomeUnknownError: the answer to the write was lost.
        """
        try:
            self.client.update_item(
                TableName=self.table, ReturnValuesOnConditionCheckFailure="ALL_OLD", **update_of(event)
            )
        except ClientError as error:
            if not condition_failed(error):
                raise OutcomeUnknownError from error
            return _verdict_of_refusal(refused_item(error), event)
        except DEPENDENCY_ERRORS as error:
            raise OutcomeUnknownError from error
        return ACCEPTED

    def apply_all(self, events: Sequence[ComponentEvent]) -> list[Verdict]:
        """Apply `events` in the order of `created_at` and return their verdicts in the order given.

        Ties keep the order given. Contracts go side by side, the events of one contract in turn.

        Raises:
            OutcomeUnknownError: the answer to a write was lost; the later events of that contract
                were not tried, those of other contracts were.
        """
        in_turn = sorted(range(len(events)), key=lambda index: events[index].created_at)
        by_contract: dict[str, list[int]] = {}
        for index in in_turn:
            by_contract.setdefault(events[index].contract_number, []).append(index)

        def apply_in_turn(indexes: list[int]) -> list[tuple[int, Verdict]]:
            return [(index, self.apply(events[index])) for index in indexes]

        with ThreadPoolExecutor(_CONTRACTS_AT_ONCE) as pool:
            verdicts = dict(chain.from_iterable(pool.map(apply_in_turn, by_contract.values())))
        return [verdicts[index] for index in range(len(events))]


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


def _verdict_of_refusal(item: dict[str, Any] | None, event: ComponentEvent) -> Verdict:
    contract = to_contract(item) if item else None
    if contract and _already_counts(contract, event):
        # The condition met this event's own first sending: the SDK resent it after a lost answer.
        return ACCEPTED
    verdict = decide(contract, event)
    if verdict.accepted:
        # Not to be answered either way: the condition and the rules have come apart.
        raise OutcomeUnknownError
    return verdict


def _already_counts(contract: Contract, event: ComponentEvent) -> bool:
    state = contract.components.get(event.type.component)
    if state is None:
        return False
    occurrence = state.start if event.type.action is Action.START else state.end
    return occurrence is not None and occurrence.key == event.key
