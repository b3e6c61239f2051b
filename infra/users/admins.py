"""The list of active admins: one item, changed in the transaction that makes or unmakes an active admin.

Whoever is on the list is an active admin; the reverse need not hold, since users stored before there was a list
are put on it only when they are needed. Nobody leaves the list, or stops being an active admin, unless somebody
else is on it: so one active admin always remains, whatever runs at once.
"""

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from domain.users import LastAdminError, Role, User
from infra.aws import write_errors_classified
from infra.listings import list_items
from infra.users.user_items import KIND, to_user, user_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LIST_KEY: dict[str, Any] = {"pk": {"S": "ADMINS"}, "sk": {"S": "ADMINS"}}

# Conditions of the writes below.
ANOTHER_REMAINS = "attribute_exists(#members) AND (size(#members) > :one OR NOT contains(#members, :id))"
IS_ACTIVE_ADMIN = "#role = :admin AND #is_active = :true"

REFUSED = "ConditionalCheckFailed"
_PAGE = 200


def list_change(table: str, before: User | None, after: User | None) -> list[dict[str, Any]]:
    """Return the write on the list that goes with a change of a user, if one does; None is no user."""
    was, becomes = (user is not None and user.is_active_admin for user in (before, after))
    if becomes and not was and after is not None:
        # A set takes a member once, so this needs no condition.
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
    """The list in the table of users."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def find_another(self, user_id: str) -> None:
        """Put an active admin other than `user_id` on the list, from the listing of all users.

        Raises:
            LastAdminError: there is none.
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
        """Put `user` on the list; False if it is no active admin any more."""
        check = {
            "TableName": self.table,
            "Key": user_key(user.id),
            "ConditionExpression": IS_ACTIVE_ADMIN,
            "ExpressionAttributeNames": {"#role": "role", "#is_active": "is_active"},
            "ExpressionAttributeValues": {":admin": {"S": Role.ADMIN}, ":true": {"BOOL": True}},
        }
        writes: Any = [{"ConditionCheck": check}, *list_change(self.table, None, user)]
        try:
            with write_errors_classified():
                self.client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            reasons = cast("list[dict[str, Any]]", error.response["CancellationReasons"])
            # Where other transactions were at the same items, the caller's next attempt finds out.
            return reasons[0].get("Code") != REFUSED
        return True
