"""Users in DynamoDB: unique names by transactions, changes under optimistic locking, always one active admin."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.users import User, UserExistsError, UserNotFoundError
from infra.conditional_writes import Writer
from infra.paging import list_items
from infra.users.last_admin import AdminList, list_change
from infra.users.user_items import (
    KIND,
    Item,
    listing_key,
    login_key,
    to_user,
    to_user_item,
    user_key,
)
from infra.write_outcomes import Applied, BusyError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below.
IS_NEW = "attribute_not_exists(#pk)"
IS_UNCHANGED = "#version = :version"
BELONGS_TO_USER = "#user_id = :user_id"

_ATTEMPTS = 6


class UserPage(NamedTuple):
    """A page of users in the order of their creation, and the position of the last one if there may be more."""

    users: tuple[User, ...]
    next_after: str | None


class _Refusal(NamedTuple):
    """A condition of a transaction failed: of the user's item, of the list of admins, or of a name."""

    by_user: bool
    by_admins: bool


class UserStore:
    """The users of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)
        self._admins = AdminList(client, table)

    def create(self, user: User) -> None:
        """Store a new user.

        Raises:
            UserExistsError: the username or the email address is taken.
        """
        put = self._put(to_user_item(user), IS_NEW, "pk")
        if self._transact(put, None, user, [self._take(login, user) for login in _logins(user)]):
            raise UserExistsError

    def get(self, user_id: str) -> User | None:
        """Read a user, consistently."""
        item = self._read(user_key(user_id))
        return to_user(item) if item else None

    def ping(self) -> None:
        """Read from the table, to check that it answers."""
        self.client.get_item(TableName=self.table, Key=user_key(""))

    def by_login(self, login: str) -> User | None:
        """Read the user with a username or an email address, always in two calls, whether or not the user exists."""
        owner = self._read(login_key(login))
        item = self._read(user_key(owner["user_id"]["S"] if owner else ""))
        return to_user(item) if item else None

    def change(self, user_id: str, revise: Callable[[User], User]) -> User:
        """Store the user that `revise` returns, and return it; concurrent changes are kept.

        `revise` may be called more than once.

        Raises:
            UserNotFoundError: the user does not exist.
            UserExistsError: the new username or email address is taken.
            LastAdminError: the change would leave no active admin.
            BusyError: concurrent changes prevented every attempt.
        """
        for _ in range(_ATTEMPTS):
            before = self.get(user_id)
            if before is None:
                raise UserNotFoundError
            after = revise(before)
            if after is before or self.replace(before, after):
                return after
        raise BusyError

    def replace(self, before: User, after: User) -> bool:
        """Store `after` if the stored user is still `before`; return whether it was stored.

        Raises:
            UserExistsError: the new username or email address is taken.
            LastAdminError: the change would leave no active admin.
        """
        old, new = ({_name_of(login): login for login in _logins(user)} for user in (before, after))
        put = self._put(
            to_user_item(after), IS_UNCHANGED, "version", {":version": {"N": str(before.version)}}
        )
        names = [
            *(self._take(login, after) for name, login in new.items() if name not in old),
            *(self._free(login, before) for name, login in old.items() if name not in new),
        ]
        refusal = self._transact(put, before, after, names)
        if refusal is None:
            return True
        if refusal.by_user:
            return False
        if refusal.by_admins:
            self._admins.find_another(before.id)
            return False
        raise UserExistsError

    def delete(self, user_id: str) -> None:
        """Delete a user and free the names. Sessions and API keys without a user are invalid.

        Raises:
            UserNotFoundError: the user does not exist.
            LastAdminError: the user is the last active admin.
        """
        for _ in range(_ATTEMPTS):
            user = self.get(user_id)
            if user is None:
                raise UserNotFoundError
            condition = {
                "ConditionExpression": IS_UNCHANGED,
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": {"N": str(user.version)}},
            }
            delete = {"Delete": {"TableName": self.table, "Key": user_key(user.id)} | condition}
            names = [self._free(login, user) for login in _logins(user)]
            refusal = self._transact(delete, user, None, names)
            if refusal is None:
                return
            if refusal.by_admins and not refusal.by_user:
                self._admins.find_another(user.id)
        raise BusyError

    def page(self, limit: int, after: str | None) -> UserPage:
        """List users in the order of their creation, without their password hashes.

        Eventually consistent: a change appears within about a second.
        """
        start = listing_key(after) if after is not None else None
        items, last = list_items(self.client, self.table, ("kind", KIND), limit, start)
        return UserPage(tuple(map(to_user, items)), last["position"]["S"] if last else None)

    def _read(self, key: dict[str, Any]) -> Item | None:
        return self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")

    def _put(
        self, item: Item, condition: str, name: str, values: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        put = {
            "TableName": self.table,
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name},
        }
        return {"Put": put | ({"ExpressionAttributeValues": values} if values else {})}

    def _take(self, login: str, user: User) -> dict[str, Any]:
        item = login_key(login) | {"user_id": {"S": user.id}}
        return self._put(item, IS_NEW, "pk")

    def _free(self, login: str, user: User) -> dict[str, Any]:
        return {
            "Delete": {
                "TableName": self.table,
                "Key": login_key(login),
                "ConditionExpression": BELONGS_TO_USER,
                "ExpressionAttributeNames": {"#user_id": "user_id"},
                "ExpressionAttributeValues": {":user_id": {"S": user.id}},
            }
        }

    def _transact(
        self,
        write: dict[str, Any],
        before: User | None,
        after: User | None,
        names: list[dict[str, Any]],
    ) -> _Refusal | None:
        """Write a user's item, the names, and the list of admins if it changes; return what refused it, if anything."""
        admins = list_change(self.table, before, after)
        outcome = self.writer.transact([write, *admins, *names])
        if isinstance(outcome, Applied):
            return None
        return _Refusal(
            by_user=outcome.reasons[0].failed, by_admins=bool(admins) and outcome.reasons[1].failed
        )


def _logins(user: User) -> tuple[str, str]:
    return user.username, user.email


def _name_of(login: str) -> str:
    name: str = login_key(login)["pk"]["S"]
    return name
