"""Guarantees that one active admin always remains, by a list of active admins in one item.

The list changes in the same transaction as the user. A user can leave the list, or stop being an active admin, only
if another user is on the list; this holds for concurrent requests too. Every user on the list is an active admin, but
the list may be incomplete: users that were stored before the list existed are added when another admin is needed.
"""

from typing import TYPE_CHECKING, Any

from domain.users import LastAdminError, Role, User
from infra.conditional_writes import Writer
from infra.paging import list_items
from infra.users.user_items import KIND, to_user, user_key
from infra.write_outcomes import Applied

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LIST_KEY: dict[str, Any] = {"pk": {"S": "ADMINS"}, "sk": {"S": "ADMINS"}}

# Conditions of the writes below.
ANOTHER_REMAINS = "attribute_exists(#members) AND (size(#members) > :one OR NOT contains(#members, :id))"
IS_ACTIVE_ADMIN = "#role = :admin AND #is_active = :true"

_PAGE = 200


def list_change(table: str, before: User | None, after: User | None) -> list[dict[str, Any]]:
    """Return the write on the list that a change of a user needs, if any; None stands for no user."""
    was, becomes = (user is not None and user.is_active_admin for user in (before, after))
    if becomes and not was and after is not None:
        # No condition: adding a member to a set twice changes nothing.
        return [_update(table, "ADD #members :member", {":member": {"SS": [after.id]}})]
    if was and not becomes and before is not None:
        values = {":member": {"SS": [before.id]}, ":id": {"S": before.id}, ":one": {"N": "1"}}
        return [_update(table, "DELETE #members :member", values, ConditionExpression=ANOTHER_REMAINS)]
    return []


def _update(table: str, expression: str, values: dict[str, Any], **more: str) -> dict[str, Any]:
    update = {
        "TableName": table,
        "Key": LIST_KEY,
        "UpdateExpression": expression,
        "ExpressionAttributeNames": {"#members": "members"},
        "ExpressionAttributeValues": values,
    }
    return {"Update": update | more}


class AdminList:
    """The list of active admins in the table of users."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)

    def find_another(self, user_id: str) -> None:
        """Add an active admin other than `user_id` to the list, found by paging through all users.

        Raises:
            LastAdminError: there is no other active admin.
            BusyError: concurrent changes prevented every attempt.
            OutcomeUnknownError: the table did not answer.
        """
        after = None
        while True:
            page = list_items(self.client, self.table, ("kind", KIND), _PAGE, after)
            for user in map(to_user, page.items):
                if user.is_active_admin and user.id != user_id and self._put_on_list(user):
                    return
            after = page.last
            if after is None:
                raise LastAdminError

    def _put_on_list(self, user: User) -> bool:
        """Add `user` to the list; return False if it is no longer an active admin."""
        check = {
            "TableName": self.table,
            "Key": user_key(user.id),
            "ConditionExpression": IS_ACTIVE_ADMIN,
            "ExpressionAttributeNames": {"#role": "role", "#is_active": "is_active"},
            "ExpressionAttributeValues": {":admin": {"S": Role.ADMIN}, ":true": {"BOOL": True}},
        }
        writes = [{"ConditionCheck": check}, *list_change(self.table, None, user)]
        return isinstance(self.writer.transact(writes), Applied)
