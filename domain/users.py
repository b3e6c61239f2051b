"""Users, their roles, and their credentials: who may do what."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common_passwords import COMMON_PASSWORDS

USERNAME_PATTERN = r"^[A-Za-z0-9._-]{3,64}$"
EMAIL_PATTERN = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$"
)
NAME_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""For names of people and keys: any text without control characters, including C1."""
MAX_EMAIL_LENGTH = 254
MAX_NAME_LENGTH = 100
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128
MAX_API_KEYS = 20
"""The number of keys that one user may have at a time."""

SESSION_LIFETIME = timedelta(days=14)
"""How long a session lasts after its login; refreshing does not extend it."""

_USERNAME = re.compile(USERNAME_PATTERN[1:-1], re.ASCII)
_EMAIL = re.compile(EMAIL_PATTERN[1:-1], re.ASCII)


class Role(StrEnum):
    """What a caller may do; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Return whether this role may do everything that `other` may do."""
        return _RANKS[self] >= _RANKS[other]


_RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in.

    `version` counts all changes. `epoch` counts the changes that end every session: a new password and a
    deactivation. `key_epoch` counts the changes that end every API key: `make create-admin` taking over the account.
    """

    id: str
    username: str
    email: str
    created_at: datetime
    updated_at: datetime
    password_hash: str = field(repr=False)
    first_name: str | None = None
    last_name: str | None = None
    role: Role = Role.VIEWER
    is_active: bool = True
    version: int = 1
    epoch: int = 1
    key_epoch: int = 1

    @property
    def is_active_admin(self) -> bool:
        """Whether this user may manage other users now."""
        return self.is_active and self.role is Role.ADMIN


@dataclass(frozen=True, slots=True)
class Session:
    """What a login starts; `refresh_id` is the id of its one valid refresh token."""

    id: str
    user_id: str
    epoch: int
    created_at: datetime
    refresh_id: str

    @classmethod
    def of(cls, user: User, id: str, refresh_id: str, at: datetime) -> "Session":  # noqa: A002
        """Return the new session of a user who has just logged in."""
        return cls(id, user.id, user.epoch, at, refresh_id)

    @property
    def expires_at(self) -> datetime:
        """When the session expires."""
        return self.created_at + SESSION_LIFETIME

    def is_valid(self, user: User, at: datetime) -> bool:
        """Return whether `user` may still use the session."""
        return user.is_active and self.epoch == user.epoch and at < self.expires_at


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A credential of a machine; it acts as its owner, with its own role, which is not higher than the owner's."""

    id: str
    user_id: str
    name: str
    role: Role
    created_at: datetime
    secret_hash: str = field(repr=False)
    last_used_at: datetime | None = None
    epoch: int = 1


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: a user with a session or an API key, or an anonymous caller."""

    id: str
    role: Role
    user: User | None = None
    session: Session | None = None
    api_key: ApiKey | None = None

    @property
    def is_admin(self) -> bool:
        """Whether the caller may see everything."""
        return self.role is Role.ADMIN


ANONYMOUS_ADMIN = Caller("anonymous", Role.ADMIN)
"""A caller without credentials where AUTH_MODE=open."""


def caller_by_session(user: User | None, session: Session | None, at: datetime) -> Caller | None:
    """Return the caller with this session; None if it is not valid."""
    if user is None or session is None or not session.is_valid(user, at):
        return None
    return Caller(user.id, user.role, user, session)


def caller_by_key(user: User | None, key: ApiKey | None) -> Caller | None:
    """Return the caller with this key, with at most the present role of its owner; None if it is not valid."""
    if user is None or key is None or not user.is_active or key.epoch != user.key_epoch:
        return None
    return Caller(user.id, key.role if user.role.includes(key.role) else user.role, user, api_key=key)


def revise(user: User, at: datetime, **changes: object) -> User:
    """Return `user` with `changes`, or `user` itself if nothing differs.

    A new password and a deactivation end every session.
    """
    changed = replace(user, **changes)  # type: ignore[arg-type]
    if changed == user:
        return user
    ends_sessions = changed.password_hash != user.password_hash or user.is_active > changed.is_active
    return replace(changed, updated_at=at, version=user.version + 1, epoch=user.epoch + ends_sessions)


def taken_over(user: User, at: datetime, password_hash: str) -> User:
    """Return `user` as an active admin with a new password, or `user` itself if nothing differs.

    All sessions and API keys of the account end, since anyone may have registered the name before.
    """
    admin = revise(user, at, role=Role.ADMIN, is_active=True, password_hash=password_hash)
    if admin is user:
        return user
    return replace(admin, epoch=user.epoch + 1, key_epoch=user.key_epoch + 1)


def rehashed(user: User, password_hash: str) -> User:
    """Return `user` with a better hash of the same password, which ends no session."""
    return replace(user, password_hash=password_hash, version=user.version + 1)


def name_key(name: str) -> str:
    """Return the form in which usernames, or email addresses, are compared."""
    return name.lower()


def is_common_password(text: str) -> bool:
    """Return whether `text` is among the most common passwords, ignoring case."""
    return text.casefold() in COMMON_PASSWORDS


def is_username(text: str) -> bool:
    """Return whether `text` is allowed as a username; no username looks like an email address."""
    return _USERNAME.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Return whether `text` has the form of an email address, in ASCII."""
    return len(text) <= MAX_EMAIL_LENGTH and _EMAIL.fullmatch(text) is not None


class UserExistsError(Exception):
    """Another user has this username or this email address."""

    def __init__(self) -> None:
        super().__init__("A user with this username or email address already exists.")


class UserNotFoundError(Exception):
    """There is no such user."""

    def __init__(self) -> None:
        super().__init__("User not found.")


class ApiKeyNotFoundError(Exception):
    """The caller has no such key."""

    def __init__(self) -> None:
        super().__init__("API key not found.")


class TooManyApiKeysError(Exception):
    """The caller already has MAX_API_KEYS keys."""

    def __init__(self) -> None:
        super().__init__(f"A user may have {MAX_API_KEYS} API keys; revoke one first.")


class OwnCredentialsError(Exception):
    """Users change their own password and email address only where the current password is required."""

    def __init__(self) -> None:
        super().__init__("Change your own password and email address at /api/v1/users/me.")


class OwnAccountError(Exception):
    """An admin tried to delete, deactivate or demote their own account."""

    def __init__(self) -> None:
        super().__init__("Admins cannot delete, deactivate or demote their own account.")


class LastAdminError(Exception):
    """The change would leave no active admin."""

    def __init__(self) -> None:
        super().__init__("At least one active admin must remain.")


class WrongPasswordError(Exception):
    """The current password is missing or wrong."""

    def __init__(self) -> None:
        super().__init__("A new password or email address needs the right current_password.")


class RegistrationClosedError(Exception):
    """Registration is closed; only admins create users."""

    def __init__(self) -> None:
        super().__init__("Registration is closed.")
