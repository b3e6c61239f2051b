"""The tables of codes as Markdown: for the OpenAPI document, and for `docs/errors.md`, which a test compares."""

from collections.abc import Iterable

from functions.api.contracts.verdict_codes import VERDICT_MEANINGS
from functions.api.error_codes import ErrorCode

_EVENTS, _CONTRACTS, _STATUS = "POST /events", "POST /contracts", "GET /api/export/status/{job_id}"

OTHER_CODES = {
    "malformed_event": (_EVENTS, "The entry is no event", "Correct what `details` names"),
    "idempotency_key_reused": (
        *(_EVENTS, "The `id` belongs to another event"),
        "Send the first payload unchanged, or use a new id",
    ),
    "created": (_CONTRACTS, "The contract was created", "Nothing"),
    "unchanged": (_CONTRACTS, "The same contract was there already", "Nothing"),
    "contract_exists": (
        *(_CONTRACTS, "There is another contract of this number"),
        "Use another number, or `PATCH` the contract",
    ),
    "malformed_contract": (_CONTRACTS, "The entry is no contract", "Correct what `details` names"),
    "SMART_METER_NOT_FOUND": (_STATUS, "There is no meter of this id", "Correct the id, and export again"),
    "TIME_ZONE_UNSUPPORTED": (
        *(_STATUS, "The readings cannot be summed up in the time zone"),
        "Export again with another zone or `resolution=raw`",
    ),
    "EXPORT_FAILED": (_STATUS, "Every attempt has failed", "Create the export again"),
}
"""Codes in successful answers that are no verdicts: where, their meaning, and what to do."""


def verdicts_table() -> str:
    """Return the table of the verdicts on events."""
    rows = ((f"`{code}`", *meaning) for code, meaning in VERDICT_MEANINGS.items())
    return _table(("Code", "Events", "Meaning", "What to do"), rows)


def others_table() -> str:
    """Return the table of the other codes in successful answers."""
    rows = ((f"`{code}`", f"`{where}`", *facts) for code, (where, *facts) in OTHER_CODES.items())
    return _table(("Code", "In", "Meaning", "What to do"), rows)


def errors_table() -> str:
    """Return the table of the errors."""
    rows = ((f"`{code.value}`", _status(code), code.meaning, code.remedy) for code in ErrorCode)
    return _table(("Code", "Status", "Meaning", "What to do"), rows)


def _status(code: ErrorCode) -> str:
    return "422; 400 on meters and exports" if code is ErrorCode.VALIDATION_ERROR else str(code.status)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
