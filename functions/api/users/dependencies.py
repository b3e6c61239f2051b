"""What routes of users and credentials may ask for."""

from typing import Annotated

from fastapi import Depends, Path, Request

from domain.users import Caller, Session, User
from functions.api.dependencies import provided
from functions.api.errors import UnauthenticatedError
from infra.contracts.event_payloads import utc_now
from infra.users.access_tokens import Tokens
from infra.users.login_throttle import PER_SOURCE, ThrottleStore, source_of
from infra.users.sessions import CredentialStore
from infra.users.user_store import UserStore


async def caller(request: Request) -> Caller:
    """Return whom the door has let in; a route that is open to all knows no caller."""
    known: Caller = request.state.caller
    return known


async def me(caller: Annotated[Caller, Depends(caller)]) -> User:
    """Return the user who calls.

    Raises:
        UnauthenticatedError: it is nobody in particular.
    """
    if caller.user is None:
        raise UnauthenticatedError
    return caller.user


async def session(caller: Annotated[Caller, Depends(caller)]) -> Session:
    """Return the session of the user who calls.

    Raises:
        UnauthenticatedError: the caller has not logged in.
    """
    if caller.session is None:
        raise UnauthenticatedError
    return caller.session


async def source(request: Request) -> str:
    """Return the address that the gateway says the request came from.

    No header is asked: a caller can write what it likes into X-Forwarded-For.
    """
    return request.client.host if request.client else ""


Throttles = Annotated[ThrottleStore, provided(lambda stores: stores.throttles)]


async def counted_source(source: Annotated[str, Depends(source)], throttles: Throttles) -> str:
    """Count a try of the source, before anything is made of what it sends; return what counts as the source.

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
Credentials = Annotated[CredentialStore, provided(lambda stores: stores.credentials)]
TokenMaker = Annotated[Tokens, provided(lambda stores: stores.tokens)]
CountedSource = Annotated[str, Depends(counted_source)]
UserId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of a user")]
KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of an API key")]
