"""Routes of users: their own account, and for admins all accounts."""

from typing import Any

from fastapi import Request

from domain.users import (
    Caller,
    OwnAccountError,
    OwnCredentialsError,
    Role,
    User,
    UserNotFoundError,
    WrongPasswordError,
    revise,
)
from functions.api.action_log import note, user_name
from functions.api.checked_routes import checked_router
from functions.api.dependencies import Cursor, Limit, Pages
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.error_statuses import ForbiddenError, UnauthenticatedError
from functions.api.schemas import Message
from functions.api.users.dependencies import (
    ApiKeys,
    CurrentCaller,
    CurrentSession,
    Me,
    Throttles,
    UserId,
    Users,
)
from functions.api.users.logins import new_user
from functions.api.users.schemas import (
    ChangesPayload,
    NewUserPayload,
    OwnChangesPayload,
    UserPageView,
    UserView,
)
from infra.contracts.event_payloads import utc_now
from infra.users.login_throttle import PER_CURRENT_PASSWORD
from infra.users.passwords import hash_password, verify_password

router = checked_router(prefix="/api/v1/users", tags=["users"])

_LISTING = "users"


@router.get("/me")
async def get_me(me: Me) -> UserView:
    """Return the user who sent the request."""
    return UserView.of(me)


@router.put(
    "/me", responses=describe(ErrorCode.USER_EXISTS, ErrorCode.WRONG_PASSWORD, ErrorCode.TOO_MANY_ATTEMPTS)
)
async def change_me(
    request: Request,
    payload: OwnChangesPayload,
    me: Me,
    session: CurrentSession,
    users: Users,
    throttles: Throttles,
) -> UserView:
    """Change your own account. A new password ends every session."""
    note(request, target=user_name(me.id), changed=_changed(payload))
    now = utc_now()
    if _changes_credentials(payload, me):
        if payload.current_password is None:
            raise WrongPasswordError
        throttles.count(PER_CURRENT_PASSWORD, me.id, now)
        if not verify_password(payload.current_password.get_secret_value(), me.password_hash).right:
            raise WrongPasswordError
    changes = _changes(payload)

    def change(user: User) -> User:
        # If the session has ended since it was read, its request must not change anything either.
        if not session.is_valid(user, now):
            raise UnauthenticatedError
        return revise(user, now, **changes)

    return UserView.of(users.change(me.id, change))


@router.get("")
async def list_users(users: Users, pages: Pages, limit: Limit = 50, cursor: Cursor = None) -> UserPageView:
    """List users in the order of their creation; a new user appears within about a second."""
    page = users.page(limit, after=pages.position(_LISTING, cursor))
    return UserPageView(
        items=[UserView.of(user) for user in page.users],
        next_cursor=pages.next_cursor(_LISTING, page.next_after),
    )


@router.post("", status_code=201, responses=describe(ErrorCode.USER_EXISTS))
async def create_user(request: Request, payload: NewUserPayload, users: Users) -> UserView:
    """Create a user of any role, even while registration is closed."""
    user = new_user(payload, utc_now())
    users.create(user)
    note(request, target=user_name(user.id), role=user.role)
    return UserView.of(user)


@router.get("/{user_id}", responses=describe(ErrorCode.USER_NOT_FOUND))
async def get_user(user_id: UserId, users: Users) -> UserView:
    """Return one user."""
    user = users.get(user_id)
    if user is None:
        raise UserNotFoundError
    return UserView.of(user)


@router.put(
    "/{user_id}",
    responses=describe(
        ErrorCode.USER_EXISTS, ErrorCode.OWN_ACCOUNT, ErrorCode.USER_NOT_FOUND, ErrorCode.LAST_ADMIN
    ),
)
async def change_user(
    request: Request, user_id: UserId, payload: ChangesPayload, users: Users, caller: CurrentCaller
) -> UserView:
    """Change a user; it takes effect with the user's next request.

    Only the session of another admin can change a password or an email address, never an API key.
    """
    note(request, changed=_changed(payload), role=payload.role, is_active=payload.is_active)
    if user_id == caller.id and (payload.is_active is False or payload.role not in (None, Role.ADMIN)):
        raise OwnAccountError
    now, changes = utc_now(), _changes(payload)

    def change(user: User) -> User:
        if _changes_credentials(payload, user):
            _check_may_change_credentials(caller, user)
        return revise(user, now, **changes)

    return UserView.of(users.change(user_id, change))


def _check_may_change_credentials(caller: Caller, user: User) -> None:
    """Allow only the session of another admin, or an anonymous caller with AUTH_MODE=open, to change credentials."""
    if user.id == caller.id:
        raise OwnCredentialsError
    if caller.user is not None and caller.session is None:
        raise ForbiddenError


def _changes_credentials(payload: OwnChangesPayload | ChangesPayload, user: User) -> bool:
    return payload.password is not None or payload.email not in (None, user.email)


def _changed(payload: OwnChangesPayload | ChangesPayload) -> list[str]:
    """Return the names of the fields that were sent, for the log."""
    return sorted(payload.model_fields_set - {"current_password"})


@router.delete(
    "/{user_id}", responses=describe(ErrorCode.OWN_ACCOUNT, ErrorCode.USER_NOT_FOUND, ErrorCode.LAST_ADMIN)
)
async def delete_user(user_id: UserId, users: Users, api_keys: ApiKeys, caller: CurrentCaller) -> Message:
    """Delete a user with all credentials; another user may then take the username and the email address."""
    if user_id == caller.id:
        raise OwnAccountError
    users.delete(user_id)
    api_keys.delete_all(user_id)
    return Message(message="User deleted.")


def _changes(payload: OwnChangesPayload | ChangesPayload) -> dict[str, Any]:
    """Return the fields to set; null removes a first or last name, and leaves any other field as it is."""
    sent = payload.model_dump(exclude_unset=True, exclude={"password", "current_password"})
    changes = {name: value for name, value in sent.items() if value is not None or name in _REMOVABLE}
    if payload.password is not None:
        changes["password_hash"] = hash_password(payload.password.get_secret_value())
    return changes


_REMOVABLE = ("first_name", "last_name")
