"""The DynamoDB items of users and their credentials.

A user and the user's sessions and API keys share a partition, so that one call reads a credential together with its
user. Usernames and email addresses are separate items, which makes them unique.
"""

from collections.abc import Mapping
from typing import Any

from domain.instants import from_micros, to_micros
from domain.users import ApiKey, Role, Session, User, name_key

Item = Mapping[str, Any]

KIND = "user"
"""The partition of the index `listing`."""

USER = "USER"
SESSION = "SESSION#"
API_KEY = "KEY#"


def user_key(user_id: str) -> dict[str, Any]:
    """Return the primary key of a user."""
    return credential_key(user_id, USER)


def credential_key(user_id: str, name: str) -> dict[str, Any]:
    """Return the primary key of one of a user's items."""
    return {"pk": {"S": f"USER#{user_id}"}, "sk": {"S": name}}


def login_key(login: str) -> dict[str, Any]:
    """Return the primary key of the item that says which user has this username or email address."""
    kind = "EMAIL" if "@" in login else "NAME"
    return {"pk": {"S": f"{kind}#{name_key(login)}"}, "sk": {"S": kind}}


def listing_key(position: str) -> dict[str, Any]:
    """Return the key of the user at `position` in the index `listing`."""
    return {"kind": {"S": KIND}, "position": {"S": position}} | user_key(position.rpartition("#")[2])


def to_user_item(user: User) -> dict[str, Any]:
    """Return the item of a user."""
    item = listing_key(f"{to_micros(user.created_at):016d}#{user.id}") | {
        "id": {"S": user.id},
        "username": {"S": user.username},
        "email": {"S": user.email},
        "password_hash": {"S": user.password_hash},
        "role": {"S": user.role},
        "is_active": {"BOOL": user.is_active},
        "created_at": {"N": str(to_micros(user.created_at))},
        "updated_at": {"N": str(to_micros(user.updated_at))},
        "version": {"N": str(user.version)},
        "epoch": {"N": str(user.epoch)},
        "key_epoch": {"N": str(user.key_epoch)},
    }
    for name in ("first_name", "last_name"):
        if (text := getattr(user, name)) is not None:
            item[name] = {"S": text}
    return item


def to_user(item: Item) -> User:
    """Return the user of an item; items of the index `listing` have no password hash, so it is empty."""
    return User(
        id=item["id"]["S"],
        username=item["username"]["S"],
        email=item["email"]["S"],
        password_hash=item.get("password_hash", {"S": ""})["S"],
        first_name=item.get("first_name", {}).get("S"),
        last_name=item.get("last_name", {}).get("S"),
        role=Role(item["role"]["S"]),
        is_active=item["is_active"]["BOOL"],
        created_at=from_micros(int(item["created_at"]["N"])),
        updated_at=from_micros(int(item["updated_at"]["N"])),
        version=int(item["version"]["N"]),
        epoch=int(item["epoch"]["N"]),
        key_epoch=_key_epoch(item),
    )


def _key_epoch(item: Item) -> int:
    """Return the epoch of a user's API keys; items stored before it was introduced belong to the first."""
    return int(item.get("key_epoch", {"N": "1"})["N"])


def to_session_item(session: Session) -> dict[str, Any]:
    """Return the item of a session; DynamoDB deletes it some time after `expires_at`."""
    return credential_key(session.user_id, SESSION + session.id) | {
        "id": {"S": session.id},
        "user_id": {"S": session.user_id},
        "epoch": {"N": str(session.epoch)},
        "created_at": {"N": str(to_micros(session.created_at))},
        "refresh_id": {"S": session.refresh_id},
        "expires_at": {"N": str(int(session.expires_at.timestamp()))},
    }


def to_session(item: Item) -> Session:
    """Return the session of an item."""
    return Session(
        id=item["id"]["S"],
        user_id=item["user_id"]["S"],
        epoch=int(item["epoch"]["N"]),
        created_at=from_micros(int(item["created_at"]["N"])),
        refresh_id=item["refresh_id"]["S"],
    )


def to_api_key_item(key: ApiKey) -> dict[str, Any]:
    """Return the item of an API key that has not been used yet."""
    return credential_key(key.user_id, API_KEY + key.id) | {
        "id": {"S": key.id},
        "user_id": {"S": key.user_id},
        "name": {"S": key.name},
        "role": {"S": key.role},
        "created_at": {"N": str(to_micros(key.created_at))},
        "secret_hash": {"S": key.secret_hash},
        "key_epoch": {"N": str(key.epoch)},
    }


def to_api_key(item: Item) -> ApiKey:
    """Return the API key of an item."""
    used = item.get("last_used_at")
    return ApiKey(
        id=item["id"]["S"],
        user_id=item["user_id"]["S"],
        name=item["name"]["S"],
        role=Role(item["role"]["S"]),
        created_at=from_micros(int(item["created_at"]["N"])),
        secret_hash=item["secret_hash"]["S"],
        last_used_at=from_micros(int(used["N"])) if used else None,
        epoch=_key_epoch(item),
    )
