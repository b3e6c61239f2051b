"""What each code of a verdict means and what to do about it, and verdicts as examples."""

from typing import Any, NamedTuple

from domain.contracts.verdicts import Code


class VerdictMeaning(NamedTuple):
    """On which events a verdict is given, when, and what their sender may do."""

    given_to: str
    meaning: str
    remedy: str


_SENT_LATE = "Nothing, if the events were sent late; otherwise send a newer one"

VERDICT_MEANINGS = {
    Code.ACCEPTED: VerdictMeaning("both", "The event counts", "Nothing"),
    Code.CONTRACT_NOT_FOUND: VerdictMeaning(
        "both", "There is no contract of this number", "Create the contract, then send the event again"
    ),
    Code.COMPONENT_NOT_CONFIGURED: VerdictMeaning(
        "both",
        "The contract does not have the component",
        "Add it with `PATCH /contract/{contract_number}`, then replay the contract",
    ),
    Code.RESTART_AFTER_END: VerdictMeaning(
        "start",
        "An end is known, and this start was created at the same time or later",
        "A component that has ended is not started again; void the end if it was a mistake",
    ),
    Code.STALE_START: VerdictMeaning(
        "start", "A start is known that was created at the same time or later", _SENT_LATE
    ),
    Code.START_AFTER_END_DATE: VerdictMeaning(
        "start", "An end is known, and the date of this start is after it", "Correct the date"
    ),
    Code.END_WITHOUT_START: VerdictMeaning(
        "end", "No start is known", "Send the start; if it came after this end, replay the contract"
    ),
    Code.END_BEFORE_START: VerdictMeaning(
        "end",
        "This end was not created after the start, or its date is before that of the start",
        "Correct the date, or send the end with its own time of creation",
    ),
    Code.STALE_END: VerdictMeaning(
        "end", "An end is known that was created at the same time or later", _SENT_LATE
    ),
}

_START: dict[str, Any] = {
    "contract_number": "1001",
    "type": "supply_energy_start",
    "date": "2024-01-01",
    "created_at": "2023-12-01T09:30:00Z",
}
ACCEPTED: dict[str, Any] = {
    "status": "accepted",
    "code": Code.ACCEPTED.value,
    "message": "Event processed successfully.",
    **_START,
}
REFUSED: dict[str, Any] = {
    "status": "rejected",
    "code": Code.STALE_START.value,
    "message": "The start event is older or equal to the start of energy_supply that counts.",
    **_START,
    "date": "2024-02-01",
    "blocked_by": {name: value for name, value in _START.items() if name != "contract_number"},
}


def describe_verdicts(**examples: tuple[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the description of the successful answer of a route, with examples: a summary and a value each."""
    shown = {name: {"summary": summary, "value": value} for name, (summary, value) in examples.items()}
    return {200: {"content": {"application/json": {"examples": shown}}}}


VERDICT_EXAMPLES = describe_verdicts(
    accepted=("The event counts", ACCEPTED),
    rejected=("A rule refuses the event, because of another one", REFUSED),
    repeated=("Sent again under the same id: the first answer", ACCEPTED | {"repeated": True}),
    dry_run=("What the rules say now; nothing was stored", ACCEPTED | {"dry_run": True}),
)
BULK_EXAMPLES = describe_verdicts(
    verdicts=(
        "One verdict for each entry",
        {
            "results": [
                ACCEPTED | {"index": 0},
                REFUSED | {"index": 1},
                {
                    "status": "rejected",
                    "code": "malformed_event",
                    "message": "event: must be a JSON object",
                    "details": [{"field": "event", "message": "must be a JSON object"}],
                    "index": 2,
                },
            ]
        },
    )
)
