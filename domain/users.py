"""Who may do what: users, their roles, and the credentials they show."""

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
"""Of what people and keys are called: any text without control characters, C1 included."""
MAX_EMAIL_LENGTH = 254
MAX_NAME_LENGTH = 100
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 128
MAX_API_KEYS = 20
"""Keys that one user may have at a time."""

SESSION_LIFETIME = timedelta(days=14)
"""From a login until a new one is needed, however often it is refreshed."""

_USERNAME = re.compile(USERNAME_PATTERN[1:-1], re.ASCII)
_EMAIL = re.compile(EMAIL_PATTERN[1:-1], re.ASCII)


class Role(StrEnum):
    """What a caller may do; each role includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Tell whether this role may do all that `other` may."""
        return _RANKS[self] >= _RANKS[other]


_RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in.

    `version` counts the changes. `epoch` counts those that end every session: a new password, and
    a deactivation. `key_epoch` counts those that end every API key: somebody else takes the account over.
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
        """Whether this user may manage the others now."""
        return self.is_active and self.role is Role.ADMIN


@dataclass(frozen=True, slots=True)
class Session:
    """What a login begins; `refresh_id` is the id of the one refresh token that still counts."""

    id: str
    user_id: str
    epoch: int
    created_at: datetime
    refresh_id: str

    @classmethod
    def of(cls, user: User, id: str, refresh_id: str, at: datetime) -> "Session":  # noqa: A002
        """Return the session of a user who has logged in just now."""
        return cls(id, user.id, user.epoch, at, refresh_id)

    @property
    def expires_at(self) -> datetime:
        """When it ends by itself."""
        return self.created_at + SESSION_LIFETIME

    def counts(self, user: User, at: datetime) -> bool:
        """Tell whether it still lets `user` in."""
        return user.is_active and self.epoch == user.epoch and at < self.expires_at


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A machine's credential; it acts as its owner, with a role of its own at most as great."""

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
    """Who sent a request: a user by a session or a key, or nobody in particular."""

    id: str
    role: Role
    user: User | None = None
    session: Session | None = None
    api_key: ApiKey | None = None

    @property
    def is_admin(self) -> bool:
        """Whether everything may be seen."""
        return self.role is Role.ADMIN


ANONYMOUS_ADMIN = Caller("anonymous", Role.ADMIN)
"""Whoever calls where nobody is asked for credentials."""


def caller_by_session(user: User | None, session: Session | None, at: datetime) -> Caller | None:
    """Return whom a session lets in, if anybody."""
    if user is None or session is None or not session.counts(user, at):
        return None
    return Caller(user.id, user.role, user, session)


def caller_by_key(user: User | None, key: ApiKey | None) -> Caller | None:
    """Return whom a key lets in, if anybody: never with more than its owner may do now."""
    if user is None or key is None or not user.is_active or key.epoch != user.key_epoch:
        return None
    return Caller(user.id, key.role if user.role.includes(key.role) else user.role, user, api_key=key)


def revise(user: User, at: datetime, **changes: object) -> User:
    """Return `user` with `changes`, or `user` itself where nothing differs.

    A new password and a deactivation end every session.
    """
    changed = replace(user, **changes)  # type: ignore[arg-type]
    if changed == user:
        return user
    ends_sessions = changed.password_hash != user.password_hash or user.is_active > changed.is_active
    return replace(changed, updated_at=at, version=user.version + 1, epoch=user.epoch + ends_sessions)


def taken_over(user: User, at: datetime, password_hash: str) -> User:
    """Return `user` as the active admin that an operator makes of a name, or `user` itself where it is one.

    Whoever had the name before loses its sessions and its API keys.
    """
    admin = revise(user, at, role=Role.ADMIN, is_active=True, password_hash=password_hash)
    if admin is user:
        return user
    return replace(admin, epoch=user.epoch + 1, key_epoch=user.key_epoch + 1)


def rehashed(user: User, password_hash: str) -> User:
    """Return `user` with a better hash of the same password, which ends no session."""
    return replace(user, password_hash=password_hash, version=user.version + 1)


def name_key(name: str) -> str:
    """Return what makes two usernames, or two email addresses, the same."""
    return name.lower()


def is_common_password(text: str) -> bool:
    """Tell whether `text` is among the most common passwords, whatever its case."""
    return text.casefold() in COMMON_PASSWORDS


def is_username(text: str) -> bool:
    """Tell whether `text` may be a username; none can be mistaken for an email address."""
    return _USERNAME.fullmatch(text) is not None


def is_email(text: str) -> bool:
    """Tell whether `text` has the form of an email address, in ASCII."""
    return len(text) <= MAX_EMAIL_LENGTH and _EMAIL.fullmatch(text) is not None


class UserExistsError(Exception):
    """Another user has this username or this email address."""

    def __init__(self) -> None:
        super().__init__("A user of this username or email address exists already.")


class UserNotFoundError(Exception):
    """There is no such user."""

    def __init__(self) -> None:
        super().__init__("User not found.")


class ApiKeyNotFoundError(Exception):
    """The caller has no such key."""

    def __init__(self) -> None:
        super().__init__("API key not found.")


class TooManyApiKeysError(Exception):
    """The caller has as many keys as one may have."""

    def __init__(self) -> None:
        super().__init__(f"A user may have {MAX_API_KEYS} API keys; revoke one first.")


class OwnCredentialsError(Exception):
    """One's own password and email address are changed only where the current password is asked for."""

    def __init__(self) -> None:
        super().__init__("Change your own password and email address at /api/v1/users/me.")


class OwnAccountError(Exception):
    """Admins leave their own rights to another admin, so that one always remains."""

    def __init__(self) -> None:
        super().__init__("An admin cannot delete, deactivate or demote the own account.")


class LastAdminError(Exception):
    """The change would leave no active admin."""

    def __init__(self) -> None:
        super().__init__("One active admin must remain.")


class WrongPasswordError(Exception):
    """The current password was not given, or is another."""

    def __init__(self) -> None:
        super().__init__("A new password or email address needs current_password, the right one.")


class RegistrationClosedError(Exception):
    """Nobody may register; an admin makes users."""

    def __init__(self) -> None:
        super().__init__("Registration is closed.")
