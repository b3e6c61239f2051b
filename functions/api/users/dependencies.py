"""What routes of users and credentials may ask for."""

from typing import Annotated

from fastapi import Depends, Path, Request

from domain.actors import Actor, ActorKind
from domain.users import Caller, Session, User
from functions.api.dependencies import provided
from functions.api.errors import UnauthenticatedError
from infra.users.access_tokens import Tokens
from infra.users.login_throttle import ThrottleStore
from infra.users.sessions import CredentialStore
from infra.users.user_store import UserStore


async def caller(request: Request) -> Caller:
    """Return whom the door has let in; a route that is open to all knows no caller."""
    known: Caller = request.state.caller
    return known


def actor_of(caller: Caller) -> Actor:
    """Return how a history names `caller`: an API key by itself, since its owner may have several."""
    if caller.api_key is not None:
        return Actor(ActorKind.API_KEY, caller.api_key.id, caller.api_key.name)
    if caller.user is not None:
        return Actor(ActorKind.USER, caller.user.id, caller.user.username)
    return Actor(ActorKind.ANONYMOUS)


async def actor(caller: Annotated[Caller, Depends(caller)]) -> Actor:
    """Return how a history names the caller."""
    return actor_of(caller)


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


CurrentCaller = Annotated[Caller, Depends(caller)]
CurrentActor = Annotated[Actor, Depends(actor)]
Me = Annotated[User, Depends(me)]
CurrentSession = Annotated[Session, Depends(session)]
Users = Annotated[UserStore, provided(lambda stores: stores.users)]
Credentials = Annotated[CredentialStore, provided(lambda stores: stores.credentials)]
Throttles = Annotated[ThrottleStore, provided(lambda stores: stores.throttles)]
TokenMaker = Annotated[Tokens, provided(lambda stores: stores.tokens)]
Source = Annotated[str, Depends(source)]
UserId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of a user")]
KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of an API key")]
