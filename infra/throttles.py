"""How often a door may be tried: counters in DynamoDB, per account and per source address.

Each try is counted before anything is verified, by a write whose condition is the limit; so of any
number of tries at once exactly the allowed ones go on.
"""

from datetime import datetime
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from infra.aws import condition_failed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Condition of the one write.
IS_BELOW_THE_LIMIT = "attribute_not_exists(#count) OR #count < :limit"


class Limit(NamedTuple):
    """So many tries of one kind in each window of so many seconds."""

    kind: str
    tries: int
    seconds: int


PER_ACCOUNT = Limit("account", 10, 300)
PER_SOURCE = Limit("source", 100, 300)


class ThrottledError(Exception):
    """The limit is reached; after `retry_after` seconds there are tries again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many attempts. Try again later.")
        self.retry_after = retry_after


class ThrottleStore:
    """The counters of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table

    def count(self, limit: Limit, subject: str, at: datetime) -> None:
        """Count a try of `subject`; a name that nobody has counts like any other.

        A counter is found by a hash, so the table holds neither names nor addresses. Where the SDK
        sends a try again after a lost answer it may count twice, which errs on the safe side.

        Raises:
            ThrottledError: the limit is reached.
        """
        seconds = int(at.timestamp())
        window, passed = divmod(seconds, limit.seconds)
        left = limit.seconds - passed
        digest = sha256(f"{limit.kind}:{subject}".encode()).hexdigest()
        try:
            self.client.update_item(
                TableName=self.table,
                Key={"pk": {"S": f"{limit.kind}#{digest}#{window}"}},
                UpdateExpression="ADD #count :one SET #expires_at = :expires_at",
                ConditionExpression=IS_BELOW_THE_LIMIT,
                ExpressionAttributeNames={"#count": "count", "#expires_at": "expires_at"},
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":limit": {"N": str(limit.tries)},
                    ":expires_at": {"N": str(seconds + left)},
                },
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            raise ThrottledError(left) from error


def source_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 that one IPv6 caller has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))
