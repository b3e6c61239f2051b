"""The conditions under which an event may change its contract, and the update that it makes.

They express in DynamoDB's language what `domain.contracts.verdicts.decide` expresses in Python, so that no read
comes between the decision and the write. `tests/infra/contracts/test_conditions.py` proves over every
small case that both say the same.
"""

from datetime import datetime
from typing import Any

from domain.contracts.events import Action, ComponentEvent
from domain.instants import to_micros
from infra.contracts.contract_items import key_of

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
    # the write would create a contract.
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

# With a trail, each write names the generation that its row belongs to, and the instant at which the row is
# recorded: later than the last replay, void or patch, so that the rows are in the order of the writes.
IS_THIS_GENERATION = "#generation = :generation"
IS_NOT_CORRECTED_SINCE = "(attribute_not_exists(#corrected_at) OR #corrected_at < :recorded_at)"


def update_of(event: ComponentEvent) -> dict[str, Any]:
    """Return the key, expression and condition of the write that applies `event`."""
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


def recorded_update_of(event: ComponentEvent, generation: int, recorded_at: datetime) -> dict[str, Any]:
    """Return the same for a write in one transaction with its row in the trail of `generation`."""
    update = update_of(event)
    conditions = (IS_THIS_GENERATION, IS_NOT_CORRECTED_SINCE, update["ConditionExpression"])
    update["ConditionExpression"] = " AND ".join(conditions)
    update["ExpressionAttributeNames"] |= {"#generation": "generation", "#corrected_at": "corrected_at"}
    update["ExpressionAttributeValues"] |= {
        ":generation": {"N": str(generation)},
        ":recorded_at": {"N": str(to_micros(recorded_at))},
    }
    return update
