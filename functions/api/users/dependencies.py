"""What routes of users and credentials may ask for."""

from functools import cache
from typing import Annotated

from fastapi import Depends, Path, Request

from domain.users import Caller, Session, User
from functions.api.errors import UnauthenticatedError
from infra.aws import dynamodb
from infra.secrets import signing_keys
from infra.settings import ApiSettings, settings
from infra.users.access_tokens import PURPOSE, Tokens
from infra.users.login_throttle import ThrottleStore
from infra.users.sessions import CredentialStore
from infra.users.user_store import UserStore


@cache
def _users() -> UserStore:
    return UserStore(dynamodb(), settings(ApiSettings).users_table)


@cache
def credential_store() -> CredentialStore:
    """Return the store of sessions and API keys."""
    return CredentialStore(dynamodb(), settings(ApiSettings).users_table)


@cache
def _throttles() -> ThrottleStore:
    return ThrottleStore(dynamodb(), settings(ApiSettings).throttles_table)


@cache
def token_maker() -> Tokens:
    """Return what issues and reads tokens."""
    return Tokens(lambda: signing_keys(settings(ApiSettings).signing_secret, PURPOSE))


KEPT = (_users, credential_store, _throttles, token_maker)
"""What is kept for the life of the process."""


async def users() -> UserStore:
    """Return the store of users."""
    return _users()


async def credentials() -> CredentialStore:
    """Return the store of sessions and API keys."""
    return credential_store()


async def throttles() -> ThrottleStore:
    """Return the counters of attempts."""
    return _throttles()


async def tokens() -> Tokens:
    """Return what issues and reads tokens."""
    return token_maker()


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


CurrentCaller = Annotated[Caller, Depends(caller)]
Me = Annotated[User, Depends(me)]
CurrentSession = Annotated[Session, Depends(session)]
Users = Annotated[UserStore, Depends(users)]
Credentials = Annotated[CredentialStore, Depends(credentials)]
Throttles = Annotated[ThrottleStore, Depends(throttles)]
TokenMaker = Annotated[Tokens, Depends(tokens)]
Source = Annotated[str, Depends(source)]
UserId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="Id of a user")]
KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Id of an API key")]
