"""Sessions and API keys in DynamoDB, each read together with its user in one call."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from domain.instants import to_micros
from domain.users import MAX_API_KEYS, ApiKey, ApiKeyNotFoundError, Session, TooManyApiKeysError, User
from infra.aws import DEPENDENCY_ERRORS, BusyError, condition_failed, refused_item
from infra.telemetry import logger
from infra.users.user_items import (
    API_KEY,
    SESSION,
    USER,
    Item,
    credential_key,
    to_api_key,
    to_api_key_item,
    to_session,
    to_session_item,
    to_user,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below.
IS_NEW = "attribute_not_exists(#pk)"
EXISTS = "attribute_exists(#pk)"
IS_THE_LAST_GIVEN_OUT = "#refresh_id = :last"

USE_IS_NOTED_EVERY = timedelta(hours=1)
"""A key's last use is written down this often, so that being let in costs no write."""

_ATTEMPTS = 3


class StoredCredential(NamedTuple):
    """A user and one of the user's credentials, as far as they exist."""

    user: User | None
    credential: Item | None


class CredentialStore:
    """The sessions and API keys in the table of users."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def session(self, user_id: str, session_id: str) -> tuple[User | None, Session | None]:
        """Read a session and its user, consistently, in one call."""
        user, item = self._get_credential(user_id, SESSION + session_id)
        return user, to_session(item) if item else None

    def api_key(self, user_id: str, key_id: str) -> tuple[User | None, ApiKey | None]:
        """Read an API key and its owner, consistently, in one call."""
        user, item = self._get_credential(user_id, API_KEY + key_id)
        return user, to_api_key(item) if item else None

    def _get_credential(self, user_id: str, name: str) -> StoredCredential:
        keys = [credential_key(user_id, USER), credential_key(user_id, name)]
        wanted: Any = {self.table: {"Keys": keys, "ConsistentRead": True}}
        items: dict[str, Item] = {}
        for _ in range(_ATTEMPTS):
            answer = self.client.batch_get_item(RequestItems=wanted)
            items |= {item["sk"]["S"]: item for item in answer["Responses"].get(self.table, [])}
            wanted = answer.get("UnprocessedKeys")
            if not wanted:
                return StoredCredential(to_user(items[USER]) if USER in items else None, items.get(name))
        raise BusyError

    def start(self, session: Session) -> None:
        """Store a session. Its id is fresh, so sent again it overwrites itself: no condition."""
        self.client.put_item(TableName=self.table, Item=to_session_item(session))

    def rotate(self, session: Session, refresh_id: str) -> bool:
        """Let `refresh_id` be the one that counts, unless another has taken its place; say whether."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=credential_key(session.user_id, SESSION + session.id),
                UpdateExpression="SET #refresh_id = :next",
                ConditionExpression=IS_THE_LAST_GIVEN_OUT,
                ExpressionAttributeNames={"#refresh_id": "refresh_id"},
                ExpressionAttributeValues={":next": {"S": refresh_id}, ":last": {"S": session.refresh_id}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            # Our own write: the SDK sent it again after a lost answer.
            return (refused_item(error) or {}).get("refresh_id") == {"S": refresh_id}
        return True

    def end(self, user_id: str, session_id: str) -> None:
        """End a session. One that has ended already stays so: no condition."""
        self.client.delete_item(TableName=self.table, Key=credential_key(user_id, SESSION + session_id))

    def add_api_key(self, key: ApiKey) -> None:
        """Store an API key. Its id is fresh, so sent again it overwrites itself: no condition.

        Two at once may both be the last allowed: the limit is there against thousands.

        Raises:
            TooManyApiKeysError: the owner has as many as one may have.
        """
        if len(self.api_keys(key.user_id)) >= MAX_API_KEYS:
            raise TooManyApiKeysError
        self.client.put_item(TableName=self.table, Item=to_api_key_item(key))

    def api_keys(self, user_id: str) -> tuple[ApiKey, ...]:
        """Read all API keys of a user; there are few."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="#pk = :pk AND begins_with(#sk, :kind)",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
            ExpressionAttributeValues={":pk": credential_key(user_id, "")["pk"], ":kind": {"S": API_KEY}},
        )
        keys = [to_api_key(item) for page in pages for item in page["Items"]]
        return tuple(sorted(keys, key=lambda key: (key.created_at, key.id)))

    def revoke_api_key(self, user_id: str, key_id: str) -> None:
        """Delete an API key; it lets nobody in from the next request on.

        Raises:
            ApiKeyNotFoundError: the user has no such key.
        """
        try:
            self.client.delete_item(
                TableName=self.table,
                Key=credential_key(user_id, API_KEY + key_id),
                ConditionExpression=EXISTS,
                ExpressionAttributeNames={"#pk": "pk"},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise ApiKeyNotFoundError from error

    def forget_api_keys(self, user_id: str) -> None:
        """Delete what is left of a deleted user. It lets nobody in, so no condition."""
        for key in self.api_keys(user_id):
            self.client.delete_item(TableName=self.table, Key=credential_key(user_id, API_KEY + key.id))

    def note_use(self, key: ApiKey, at: datetime) -> None:
        """Write down that a key is used, once an hour; nobody is kept out where that fails."""
        if key.last_used_at is not None and at - key.last_used_at < USE_IS_NOTED_EVERY:
            return
        try:
            self.client.update_item(
                TableName=self.table,
                Key=credential_key(key.user_id, API_KEY + key.id),
                UpdateExpression="SET #last_used_at = :at",
                ConditionExpression=EXISTS,
                ExpressionAttributeNames={"#last_used_at": "last_used_at", "#pk": "pk"},
                ExpressionAttributeValues={":at": {"N": str(to_micros(at))}},
            )
        except DEPENDENCY_ERRORS as error:
            logger.warning("Use of an API key not noted", reason=type(error).__name__)
