"""Dependencies of the routes of users and credentials."""

from typing import Annotated

from fastapi import Depends, Path, Request

from domain.users import Caller, Session, User
from functions.api.dependencies import provided
from functions.api.error_statuses import UnauthenticatedError
from infra.contracts.event_payloads import utc_now
from infra.users.api_key_store import ApiKeyStore
from infra.users.login_throttle import PER_SOURCE, ThrottleStore, source_of
from infra.users.session_store import SessionStore
from infra.users.tokens import Tokens
from infra.users.user_store import UserStore


async def caller(request: Request) -> Caller:
    """Return the caller that passed the access check; public routes have none."""
    checked: Caller = request.state.caller
    return checked


async def me(caller: Annotated[Caller, Depends(caller)]) -> User:
    """Return the user who sent the request.

    Raises:
        UnauthenticatedError: the caller is anonymous.
    """
    if caller.user is None:
        raise UnauthenticatedError
    return caller.user


async def session(caller: Annotated[Caller, Depends(caller)]) -> Session:
    """Return the session of the user who sent the request.

    Raises:
        UnauthenticatedError: the caller has no session.
    """
    if caller.session is None:
        raise UnauthenticatedError
    return caller.session


async def source(request: Request) -> str:
    """Return the source address that the gateway reports.

    Headers such as X-Forwarded-For are ignored, because callers can set them to anything.
    """
    return request.client.host if request.client else ""


Throttles = Annotated[ThrottleStore, provided(lambda stores: stores.throttles)]


async def counted_source(source: Annotated[str, Depends(source)], throttles: Throttles) -> str:
    """Count an attempt of the source before its request is processed; return what counts as one source.

    Raises:
        ThrottledError: the source's limit is reached.
    """
    counted = source_of(source)
    throttles.count(PER_SOURCE, counted, utc_now())
    return counted


CurrentCaller = Annotated[Caller, Depends(caller)]
Me = Annotated[User, Depends(me)]
CurrentSession = Annotated[Session, Depends(session)]
Users = Annotated[UserStore, provided(lambda stores: stores.users)]
Sessions = Annotated[SessionStore, provided(lambda stores: stores.sessions)]
ApiKeys = Annotated[ApiKeyStore, provided(lambda stores: stores.api_keys)]
TokenIssuer = Annotated[Tokens, provided(lambda stores: stores.tokens)]
CountedSource = Annotated[str, Depends(counted_source)]
UserId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of a user")]
KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of an API key")]
