"""What routes of contracts may ask for."""

from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Path, Request

from domain.contracts.contract import CONTRACT_NUMBER_PATTERN, Contract, ContractNotFoundError
from domain.contracts.trails import Reception, Source
from functions.api.actors import actor_of
from functions.api.dependencies import provided
from infra.contracts.contract_store import ContractStore
from infra.contracts.corrections import Correcting
from infra.contracts.event_payloads import utc_now
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore

Contracts = Annotated[ContractStore, provided(lambda stores: stores.contracts)]
Timelines = Annotated[TimelineStore, provided(lambda stores: stores.timelines)]
Trails = Annotated[TrailStore, provided(lambda stores: stores.trails)]
Number = Annotated[
    str, Path(pattern=CONTRACT_NUMBER_PATTERN, description="Number of a contract", examples=["1001"])
]


async def reception(request: Request) -> Reception:
    """Return how and when this request came in, and from whom."""
    return Reception(utc_now(), Source.API, request.state.request_id, actor_of(request.state.caller))


async def existing_contract(contract_number: Number, contracts: Contracts) -> Contract:
    """Return the contract that the path names.

    Raises:
        ContractNotFoundError: there is none.
    """
    contract = contracts.get(contract_number)
    if contract is None:
        raise ContractNotFoundError(contract_number)
    return contract


ExistingContract = Annotated[Contract, Depends(existing_contract)]
Received = Annotated[Reception, Depends(reception)]


async def correcting(received: Received) -> Correcting:
    """Return who corrects a contract by this request."""
    return Correcting(received, utc_now, lambda: uuid4().hex)


Correction = Annotated[Correcting, Depends(correcting)]
