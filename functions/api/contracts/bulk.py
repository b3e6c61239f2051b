"""The route that creates many contracts."""

from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field, ValidationError

from domain.contracts.contract import Contract, ContractExistsError
from functions.api.checked_routes import checked_router
from functions.api.contracts.dependencies import Contracts
from infra.contracts.create_contracts import Creation, NewContract, Outcome, create_all
from infra.contracts.event_payloads import ContractPayload, FieldError, Payload, field_errors, utc_now
from infra.write_outcomes import BusyError, OutcomeUnknownError, PartlyAppliedError

router = checked_router(tags=["contracts"])


class ContractsPayload(Payload):
    """Contracts to be created."""

    contracts: list[Any] = Field(
        max_length=500,
        description="An entry that is no contract gets a verdict of its own and spoils no other",
        json_schema_extra={"items": {"$ref": "#/components/schemas/ContractPayload"}},
    )


class ContractVerdict(BaseModel):
    """What became of the contract at `index` of the list that was sent."""

    index: int
    status: Literal["created", "unchanged", "rejected"]
    code: Literal["created", "unchanged", "contract_exists", "malformed_contract"]
    message: str
    details: list[FieldError] = []


class ContractsResult(BaseModel):
    """One verdict for each entry, in the order they were sent."""

    results: list[ContractVerdict]


@router.post("/contracts", response_model_exclude_defaults=True)
async def create_contracts(payload: ContractsPayload, contracts: Contracts) -> ContractsResult:
    """Create up to 500 contracts; one that is there already with the same components is `unchanged`.

    All may be sent again, whatever the answer was. Where a `created_at` is given it has to be the same too.
    """
    now = utc_now()
    entries = [_read(entry) for entry in payload.contracts]
    wanted = {
        index: NewContract(
            Contract.new(
                entry.contract_number, uuid4().hex, entry.created_at or now, tuple(entry.components)
            ),
            is_dated=entry.created_at is not None,
        )
        for index, entry in enumerate(entries)
        if isinstance(entry, ContractPayload)
    }
    outcomes = dict(zip(wanted, create_all(contracts, list(wanted.values())), strict=True))
    _raise_unknown(list(outcomes.values()))
    return ContractsResult(
        results=[
            _malformed(index, entry)
            if isinstance(entry, list)
            else _show(index, entry.contract_number, outcomes[index])
            for index, entry in enumerate(entries)
        ]
    )


def _read(entry: object) -> ContractPayload | list[FieldError]:
    """Read one contract of a list, or say what is wrong with it."""
    try:
        return ContractPayload.model_validate(entry)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=False)
        return field_errors([detail | {"loc": detail["loc"] or ("contract",)} for detail in errors])


def _raise_unknown(outcomes: list[Outcome]) -> None:
    """Raise what kept one of the contracts from being created: doubt before everything else.

    Raises:
        OutcomeUnknownError: an answer was lost.
        PartlyAppliedError: nothing of one contract was stored, but another was.
        Exception: what happened to a contract, where none was stored.
    """
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    for error in errors:
        if isinstance(error, OutcomeUnknownError):
            raise error
    for error in errors:
        if isinstance(error, BusyError) and len(errors) < len(outcomes):
            raise PartlyAppliedError from error
        raise error


def _malformed(index: int, details: list[FieldError]) -> ContractVerdict:
    message = f"{details[0].field}: {details[0].message}"
    return ContractVerdict(
        index=index, status="rejected", code="malformed_contract", message=message, details=details
    )


def _show(index: int, number: str, outcome: Outcome) -> ContractVerdict:
    if outcome is Creation.CREATED:
        return ContractVerdict(
            index=index, status="created", code="created", message=f"Contract {number} created."
        )
    if outcome is Creation.UNCHANGED:
        message = f"Contract {number} was there already."
        return ContractVerdict(index=index, status="unchanged", code="unchanged", message=message)
    return ContractVerdict(
        index=index, status="rejected", code="contract_exists", message=str(ContractExistsError(number))
    )
