"""What a route may ask for. Async, because FastAPI runs plain functions on a thread of their own."""

from functools import cache
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from domain.contracts.contract import CONTRACT_NUMBER_PATTERN, Contract, ContractNotFoundError
from domain.contracts.trails import Actor, ActorKind, AuditDisabledError, Reception, Source
from domain.users import Caller
from infra.aws import dynamodb
from infra.contracts.contract_store import ContractStore
from infra.contracts.event_payloads import utc_now
from infra.contracts.timeline_store import TimelineStore
from infra.contracts.trail_store import TrailStore
from infra.cursors import Cursors
from infra.idempotency import IdempotencyStore
from infra.secrets import signing_secret
from infra.settings import ApiSettings, settings


@cache
def _contracts() -> ContractStore:
    return ContractStore(dynamodb(), settings(ApiSettings).contracts_table)


@cache
def _timelines() -> TimelineStore:
    told = settings(ApiSettings)
    return TimelineStore(dynamodb(), told.contracts_table, audited=told.enable_event_audit)


@cache
def _trails() -> TrailStore:
    return TrailStore(dynamodb(), settings(ApiSettings).contracts_table)


async def contracts() -> ContractStore:
    """Return the store of contracts."""
    return _contracts()


async def timelines() -> TimelineStore:
    """Return the store of timelines."""
    return _timelines()


async def trails() -> TrailStore:
    """Return the store of trails.

    Raises:
        AuditDisabledError: no trails are kept.
    """
    if not settings(ApiSettings).enable_event_audit:
        raise AuditDisabledError
    return _trails()


async def idempotency() -> IdempotencyStore:
    """Return the store of idempotency keys."""
    return IdempotencyStore(dynamodb(), settings(ApiSettings).idempotency_table)


def actor_of(caller: Caller) -> Actor:
    """Return how a trail names `caller`: an API key by itself, since its owner may have several."""
    if caller.api_key is not None:
        return Actor(ActorKind.API_KEY, caller.api_key.id, caller.api_key.name)
    if caller.user is not None:
        return Actor(ActorKind.USER, caller.user.id, caller.user.username)
    return Actor(ActorKind.ANONYMOUS)


async def reception(request: Request) -> Reception:
    """Return how and when this request came in, and from whom."""
    return Reception(utc_now(), Source.API, request.state.request_id, actor_of(request.state.caller))


async def existing_contract(
    contract_number: Annotated[
        str, Path(pattern=CONTRACT_NUMBER_PATTERN, description="Number of a contract", examples=["1001"])
    ],
    contracts: Annotated[ContractStore, Depends(contracts)],
) -> Contract:
    """Return the contract that the path names.

    Raises:
        ContractNotFoundError: there is none.
    """
    contract = contracts.get(contract_number)
    if contract is None:
        raise ContractNotFoundError(contract_number)
    return contract


async def cursors() -> Cursors:
    """Return what seals and opens cursors; it asks for the secret only when it is needed."""
    return Cursors(lambda: signing_secret(settings(ApiSettings).signing_secret))


Contracts = Annotated[ContractStore, Depends(contracts)]
Timelines = Annotated[TimelineStore, Depends(timelines)]
Trails = Annotated[TrailStore, Depends(trails)]
ExistingContract = Annotated[Contract, Depends(existing_contract)]
Received = Annotated[Reception, Depends(reception)]
CursorSeal = Annotated[Cursors, Depends(cursors)]
Number = Annotated[
    str, Path(pattern=CONTRACT_NUMBER_PATTERN, description="Number of a contract", examples=["1001"])
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most entries in one answer")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the answer before")]
IdempotencyKeys = Annotated[IdempotencyStore, Depends(idempotency)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="The same request again gets the first answer",
    ),
]
