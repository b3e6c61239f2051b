"""Routes of contracts."""

from hashlib import sha256
from uuid import uuid4

from domain.contracts.contract import Contract
from functions.api.checked_routes import checked_router
from functions.api.contracts.dependencies import Contracts, Correction, ExistingContract, Number
from functions.api.contracts.schemas import ContractPage, ContractView
from functions.api.dependencies import Cursor, IdempotencyKey, IdempotencyKeys, Limit, Pages
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.schemas import Message
from functions.api.users.dependencies import CurrentCaller
from infra.contracts.change_components import change_components
from infra.contracts.event_payloads import ComponentsPayload, ContractPayload, utc_now
from infra.settings import ApiSettings, settings

router = checked_router(tags=["contracts"])

_LISTING = "contracts"


@router.post(
    "/contract",
    status_code=201,
    responses=describe(ErrorCode.CONTRACT_EXISTS, ErrorCode.IDEMPOTENCY_KEY_REUSED),
)
async def create_contract(
    payload: ContractPayload,
    contracts: Contracts,
    caller: CurrentCaller,
    keys: IdempotencyKeys,
    key: IdempotencyKey = None,
) -> ContractView:
    """Create a contract of which nothing has happened yet."""

    def create(contract_id: str) -> ContractView:
        contract = Contract.new(
            number=payload.contract_number,
            id=contract_id,
            created_at=payload.created_at or utc_now(),
            components=tuple(payload.components),
            stored_at=utc_now(),
        )
        return ContractView.of(contracts.create(contract))

    if key is None:
        return create(uuid4().hex)
    key = f"{caller.id}:{key}"  # another caller may use the same
    # An id made of the request: if this ends half way, the next attempt recognises the contract as its own.
    request_id = sha256(f"{key} {payload.model_dump_json()}".encode()).hexdigest()
    answer = keys.answer(
        "create_contract",
        key,
        payload.model_dump(mode="json"),
        lambda: create(request_id).model_dump(mode="json"),
    )
    return ContractView.model_validate(answer)


@router.get("/contract")
async def list_contracts(
    contracts: Contracts, pages: Pages, limit: Limit = 50, cursor: Cursor = None
) -> ContractPage:
    """List contracts in the order of their numbers; a new one shows up within about a second."""
    page = contracts.page(limit, after=pages.position(_LISTING, cursor))
    return ContractPage(
        items=[ContractView.of(contract) for contract in page.contracts],
        next_cursor=pages.next_cursor(_LISTING, page.next_after),
    )


@router.get("/contract/{contract_number}", responses=describe(ErrorCode.CONTRACT_NOT_FOUND))
async def get_contract(contract: ExistingContract) -> ContractView:
    """Show one contract."""
    return ContractView.of(contract)


@router.patch(
    "/contract/{contract_number}",
    responses=describe(ErrorCode.CONTRACT_NOT_FOUND, ErrorCode.COMPONENT_IN_USE),
)
async def change_contract(
    contract_number: Number, payload: ComponentsPayload, contracts: Contracts, by: Correction
) -> ContractView:
    """Give a contract another list of components; those that stay keep their dates.

    A component that has a start or an end cannot go. The trail gets a row `changed`, unless nothing changes.
    """
    audited = settings(ApiSettings).enable_event_audit
    changed = change_components(contracts, contract_number, payload.components, by, audited=audited)
    return ContractView.of(changed)


@router.delete("/contract/{contract_number}", responses=describe(ErrorCode.CONTRACT_NOT_FOUND))
async def delete_contract(contract_number: Number, contracts: Contracts) -> Message:
    """Delete a contract and its timeline; its number may be used again."""
    contracts.delete(contract_number, token=uuid4().hex)
    return Message(message=f"Contract {contract_number} deleted.")
