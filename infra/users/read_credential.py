"""Reads a user together with one of the user's credentials: the one call that checking a caller costs."""

from typing import TYPE_CHECKING, NamedTuple

from domain.users import User
from infra.batch_reads import read_items
from infra.users.user_items import USER, Item, credential_key, to_user

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class StoredCredential(NamedTuple):
    """A user and the item of one of the user's credentials; None for what does not exist."""

    user: User | None
    credential: Item | None


def read_credential(client: "DynamoDBClient", table: str, user_id: str, sort_key: str) -> StoredCredential:
    """Read a user and the credential under `sort_key`, consistently.

    Raises:
        BusyError: DynamoDB left keys unprocessed in every attempt.
    """
    keys = [credential_key(user_id, USER), credential_key(user_id, sort_key)]
    items = {item["sk"]["S"]: item for item in read_items(client, table, keys)}
    return StoredCredential(to_user(items[USER]) if USER in items else None, items.get(sort_key))
