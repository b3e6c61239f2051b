"""What a route may ask for. Async, because FastAPI runs plain functions on a thread of their own."""

from functools import cache
from typing import Annotated

from fastapi import Depends, Path, Query

from domain.contracts import CONTRACT_NUMBER_PATTERN
from functions.api.errors import UnauthenticatedError
from infra.aws import dynamodb
from infra.contracts import ContractStore
from infra.cursors import Cursors
from infra.secrets import signing_secret
from infra.settings import AuthMode, settings
from infra.timelines import TimelineStore


@cache
def _contracts() -> ContractStore:
    return ContractStore(dynamodb(), settings().contracts_table)


@cache
def _timelines() -> TimelineStore:
    return TimelineStore(dynamodb(), settings().contracts_table)


async def contracts() -> ContractStore:
    """Return the store of contracts."""
    return _contracts()


async def timelines() -> TimelineStore:
    """Return the store of timelines."""
    return _timelines()


async def cursors() -> Cursors:
    """Return what seals and opens cursors; it asks for the secret only when it is needed."""
    return Cursors(lambda: signing_secret(settings().signing_secret))


async def require_caller() -> None:
    """Let a caller in.

    Deny by default: until the service has users, AUTH_MODE=required lets nobody in.

    Raises:
        UnauthenticatedError: AUTH_MODE is not open.
    """
    if settings().auth_mode is not AuthMode.OPEN:
        raise UnauthenticatedError


Contracts = Annotated[ContractStore, Depends(contracts)]
Timelines = Annotated[TimelineStore, Depends(timelines)]
CursorSeal = Annotated[Cursors, Depends(cursors)]
Number = Annotated[
    str, Path(pattern=CONTRACT_NUMBER_PATTERN, description="Number of a contract", examples=["1001"])
]
Limit = Annotated[int, Query(ge=1, le=200, description="Most entries in one answer")]
Cursor = Annotated[str | None, Query(max_length=1024, description="`next_cursor` of the answer before")]
