"""Sessions in DynamoDB: started by a login, continued by rotating the refresh token, ended by a logout."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from domain.users import Session, User
from infra.aws import condition_failed, refused_item
from infra.users.read_credential import read_credential
from infra.users.user_items import SESSION, credential_key, to_session, to_session_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of the rotation below.
IS_CURRENT = "#refresh_id = :last"


class SessionStore:
    """The sessions in the table of users."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def get(self, user_id: str, session_id: str) -> tuple[User | None, Session | None]:
        """Read a session and its user, consistently, in one call."""
        user, item = read_credential(self.client, self.table, user_id, SESSION + session_id)
        return user, to_session(item) if item else None

    def start(self, session: Session) -> None:
        """Store a session. No condition: its id is new, so a resent request only overwrites itself."""
        self.client.put_item(TableName=self.table, Item=to_session_item(session))

    def rotate(self, session: Session, refresh_id: str) -> bool:
        """Make `refresh_id` the valid refresh token unless another one has replaced it; return whether it is."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=credential_key(session.user_id, SESSION + session.id),
                UpdateExpression="SET #refresh_id = :next",
                ConditionExpression=IS_CURRENT,
                ExpressionAttributeNames={"#refresh_id": "refresh_id"},
                ExpressionAttributeValues={":next": {"S": refresh_id}, ":last": {"S": session.refresh_id}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            # Our own write: the SDK sent it again after the response was lost.
            return (refused_item(error) or {}).get("refresh_id") == {"S": refresh_id}
        return True

    def end(self, user_id: str, session_id: str) -> None:
        """Delete a session. No condition: deleting it twice changes nothing."""
        self.client.delete_item(TableName=self.table, Key=credential_key(user_id, SESSION + session_id))
