"""Sessions in DynamoDB: started by a login, continued by rotating the refresh token, ended by a logout."""

from typing import TYPE_CHECKING

from domain.users import Session, User
from infra.conditional_writes import Writer
from infra.users.read_credential import read_credential
from infra.users.user_items import SESSION, credential_key, to_session, to_session_item
from infra.write_outcomes import Applied

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of the rotation below.
IS_CURRENT = "#refresh_id = :last"


class SessionStore:
    """The sessions in the table of users."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)

    def get(self, user_id: str, session_id: str) -> tuple[User | None, Session | None]:
        """Read a session and its user, consistently, in one call."""
        user, item = read_credential(self.client, self.table, user_id, SESSION + session_id)
        return user, to_session(item) if item else None

    def start(self, session: Session) -> None:
        """Store a session. No condition: its id is new, so a resent request only overwrites itself."""
        self.client.put_item(TableName=self.table, Item=to_session_item(session))

    def rotate(self, session: Session, refresh_id: str) -> bool:
        """Make `refresh_id` the valid refresh token unless another one has replaced it; return whether it is."""
        outcome = self.writer.update(
            TableName=self.table,
            Key=credential_key(session.user_id, SESSION + session.id),
            UpdateExpression="SET #refresh_id = :next",
            ConditionExpression=IS_CURRENT,
            ExpressionAttributeNames={"#refresh_id": "refresh_id"},
            ExpressionAttributeValues={":next": {"S": refresh_id}, ":last": {"S": session.refresh_id}},
        )
        if isinstance(outcome, Applied):
            return True
        # Our own write, sent again after the response was lost, or another one.
        return (outcome.item or {}).get("refresh_id") == {"S": refresh_id}

    def end(self, user_id: str, session_id: str) -> None:
        """Delete a session. No condition: deleting it twice changes nothing."""
        self.client.delete_item(TableName=self.table, Key=credential_key(user_id, SESSION + session_id))
