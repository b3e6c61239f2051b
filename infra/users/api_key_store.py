"""API keys in DynamoDB: created and revoked by their owners, and stored as hashes."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from domain.instants import to_micros
from domain.users import MAX_API_KEYS, ApiKey, ApiKeyNotFoundError, TooManyApiKeysError, User
from infra.conditional_writes import Writer
from infra.telemetry import logger
from infra.users.read_credential import read_credential
from infra.users.user_items import API_KEY, credential_key, to_api_key, to_api_key_item
from infra.write_outcomes import DEPENDENCY_ERRORS, Refused

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of the writes below.
EXISTS = "attribute_exists(#pk)"

USE_IS_RECORDED_EVERY = timedelta(hours=1)
"""How often a key's last use is stored, so that most requests with a key cost no write."""


class ApiKeyStore:
    """The API keys in the table of users."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)

    def get(self, user_id: str, key_id: str) -> tuple[User | None, ApiKey | None]:
        """Read an API key and its owner, consistently, in one call."""
        user, item = read_credential(self.client, self.table, user_id, API_KEY + key_id)
        return user, to_api_key(item) if item else None

    def create(self, key: ApiKey) -> None:
        """Store an API key. No condition: its id is new, so a resent request only overwrites itself.

        Two concurrent requests may together exceed the limit by one; it only has to prevent thousands of keys.

        Raises:
            TooManyApiKeysError: the owner already has MAX_API_KEYS keys.
        """
        if len(self.list_of(key.user_id)) >= MAX_API_KEYS:
            raise TooManyApiKeysError
        self.client.put_item(TableName=self.table, Item=to_api_key_item(key))

    def list_of(self, user_id: str) -> tuple[ApiKey, ...]:
        """Read all API keys of a user, the oldest first; there are few."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="#pk = :pk AND begins_with(#sk, :kind)",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
            ExpressionAttributeValues={":pk": credential_key(user_id, "")["pk"], ":kind": {"S": API_KEY}},
        )
        keys = [to_api_key(item) for page in pages for item in page["Items"]]
        return tuple(sorted(keys, key=lambda key: (key.created_at, key.id)))

    def revoke(self, user_id: str, key_id: str) -> None:
        """Delete an API key; the next request with it is refused.

        In a transaction, whose token recognises a resend: a deleted item could not say who has deleted it.

        Raises:
            ApiKeyNotFoundError: the user has no such key.
        """
        delete = {
            "TableName": self.table,
            "Key": credential_key(user_id, API_KEY + key_id),
            "ConditionExpression": EXISTS,
            "ExpressionAttributeNames": {"#pk": "pk"},
        }
        if isinstance(self.writer.transact([{"Delete": delete}]), Refused):
            raise ApiKeyNotFoundError

    def delete_all(self, user_id: str) -> None:
        """Delete all API keys of a user. No condition: callers have made the keys invalid before."""
        for key in self.list_of(user_id):
            self.client.delete_item(TableName=self.table, Key=credential_key(user_id, API_KEY + key.id))

    def record_use(self, key: ApiKey, at: datetime) -> None:
        """Store that a key was used, at most once an hour; a failure is logged and does not stop the request.

        Not with the `Writer`: the request must not wait for its attempts.
        """
        if key.last_used_at is not None and at - key.last_used_at < USE_IS_RECORDED_EVERY:
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
            logger.warning("Use of an API key not recorded", reason=type(error).__name__)
