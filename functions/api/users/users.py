"""Routes of users: oneself, and for admins all."""

from typing import Any

from fastapi import APIRouter

from domain.users import (
    RECENT,
    OwnAccountError,
    Role,
    UserNotFoundError,
    WrongPasswordError,
    revise,
)
from functions.api.contracts.schemas import Message
from functions.api.dependencies import Cursor, CursorSeal, Limit
from functions.api.error_shape import describe
from functions.api.users.dependencies import (
    Credentials,
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
from infra.users.login_throttle import PER_ACCOUNT
from infra.users.passwords import hash_password, verify_password

router = APIRouter(prefix="/api/v1/users", tags=["users"])

_LISTING = "users"


@router.get("/me", responses=describe(503))
async def get_me(me: Me) -> UserView:
    """Show the user who asks."""
    return UserView.of(me)


@router.put("/me", responses=describe(400, 413, 422, 429, 503))
async def change_me(
    payload: OwnChangesPayload, me: Me, session: CurrentSession, users: Users, throttles: Throttles
) -> UserView:
    """Change what users may change of themselves. A new password ends every session."""
    now = utc_now()
    if payload.password is not None:
        current = payload.current_password
        if current is not None:
            throttles.count(PER_ACCOUNT, me.id, now)
            if not verify_password(current.get_secret_value(), me.password_hash).right:
                raise WrongPasswordError
        elif now - session.created_at > RECENT:
            raise WrongPasswordError
    changes = _changes(payload)
    return UserView.of(users.change(me.id, lambda user: revise(user, now, **changes)))


@router.get("", responses=describe(400, 422, 503))
async def list_users(
    users: Users, seal: CursorSeal, limit: Limit = 50, cursor: Cursor = None
) -> UserPageView:
    """List users in the order of their creation; a new one shows up within about a second."""
    page = users.page(limit, after=None if cursor is None else seal.open(_LISTING, cursor))
    return UserPageView(
        items=[UserView.of(user) for user in page.users],
        next_cursor=None if page.next_after is None else seal.seal(_LISTING, page.next_after),
    )


@router.post("", status_code=201, responses=describe(400, 413, 422, 503))
async def create_user(payload: NewUserPayload, users: Users) -> UserView:
    """Make a user of any role, also while registration is closed."""
    user = new_user(payload, utc_now())
    users.create(user)
    return UserView.of(user)


@router.get("/{user_id}", responses=describe(404, 422, 503))
async def get_user(user_id: UserId, users: Users) -> UserView:
    """Show one user."""
    user = users.get(user_id)
    if user is None:
        raise UserNotFoundError
    return UserView.of(user)


@router.put("/{user_id}", responses=describe(400, 404, 413, 422, 503))
async def change_user(
    user_id: UserId, payload: ChangesPayload, users: Users, caller: CurrentCaller
) -> UserView:
    """Change a user; it takes effect with the user's next request."""
    if user_id == caller.id and (payload.is_active is False or payload.role not in (None, Role.ADMIN)):
        raise OwnAccountError
    now, changes = utc_now(), _changes(payload)
    return UserView.of(users.change(user_id, lambda user: revise(user, now, **changes)))


@router.delete("/{user_id}", responses=describe(400, 404, 422, 503))
async def delete_user(
    user_id: UserId, users: Users, credentials: Credentials, caller: CurrentCaller
) -> Message:
    """Delete a user with all credentials; username and email address may be used again."""
    if user_id == caller.id:
        raise OwnAccountError
    users.delete(user_id)
    credentials.forget_api_keys(user_id)
    return Message(message="User deleted.")


def _changes(payload: OwnChangesPayload | ChangesPayload) -> dict[str, Any]:
    """Return what is to be set; null leaves a field as it is, but takes a first or last name away."""
    told = payload.model_dump(exclude_unset=True, exclude={"password", "current_password"})
    changes = {name: value for name, value in told.items() if value is not None or name in _REMOVABLE}
    if payload.password is not None:
        changes["password_hash"] = hash_password(payload.password.get_secret_value())
    return changes


_REMOVABLE = ("first_name", "last_name")
