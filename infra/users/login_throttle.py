"""The login throttle: limits attempts to log in, by account and by source address, with counters in DynamoDB.

Each attempt is counted before the password is verified, by a write whose condition is the limit. So exactly the
allowed number of concurrent attempts passes. The window of a counter starts with its first attempt.
"""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.users import name_key
from infra.conditional_writes import Writer
from infra.write_outcomes import Applied, BusyError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below.
IS_BELOW_THE_LIMIT = "#expires_at > :now AND #count < :limit"
IS_OVER = "attribute_not_exists(#expires_at) OR #expires_at <= :now"

_ATTEMPTS = 3


class Limit(NamedTuple):
    """The maximum number of attempts of one kind in a window of `seconds`."""

    kind: str
    attempts: int
    seconds: int


PER_SOURCE = Limit("source", 100, 300)
PER_ACCOUNT_AND_SOURCE = Limit("account_source", 10, 300)
PER_ACCOUNT = Limit("account", 100, 300)
"""Over all sources. One source alone cannot reach it, and it does not apply to known sources of the account."""
PER_CURRENT_PASSWORD = Limit("current_password", 10, 300)
"""For logged-in users who enter their password again, by user id; separate from logins."""

KNOWN_FOR_SECONDS = 30 * 24 * 3600
"""How long after a login its source is known for the account."""


class ThrottledError(Exception):
    """The limit is reached; attempts are possible again after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many attempts. Try again later.")
        self.retry_after = retry_after


class ThrottleStore:
    """The counters of one table."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)

    def ping(self) -> None:
        """Read from the table, to check that it answers."""
        self.client.get_item(TableName=self.table, Key={"pk": {"S": "-"}})

    def count(self, limit: Limit, subject: str, at: datetime) -> None:
        """Count an attempt of `subject`, whether or not an account with that name exists.

        The key of a counter is a hash, so the table contains neither names nor addresses. If a request is
        resent after a lost response, an attempt may be counted twice, which is the safe direction.

        Raises:
            ThrottledError: the limit is reached.
        """
        now = int(at.timestamp())
        key = _key(limit.kind, subject)
        for _ in range(_ATTEMPTS):
            stored = self._add(key, limit, now)
            if stored is None:
                return
            ends = int(stored.get("expires_at", {"N": "0"})["N"])
            if ends > now:
                raise ThrottledError(ends - now)
            if self._start_window(key, now, now + limit.seconds):
                return
            # Another attempt has started the window in between: count in that window.
        raise BusyError

    def count_login(self, account: str, source: str, at: datetime) -> None:
        """Count a login to `account` from `source`.

        An attacker with many sources can exhaust the limit of an account, so it does not apply to sources from
        which the account has logged in before: the owner cannot be locked out permanently.

        Raises:
            ThrottledError: a limit is reached.
        """
        self.count(PER_ACCOUNT_AND_SOURCE, f"{account} {source}", at)
        try:
            self.count(PER_ACCOUNT, account, at)
        except ThrottledError:
            if not self._is_known(account, source, at):
                raise

    def remember(self, account: str, source: str, at: datetime) -> None:
        """Store that `account` has logged in from `source`. No condition: repeating it only extends the time."""
        ends = int(at.timestamp()) + KNOWN_FOR_SECONDS
        item = _key("known", f"{account} {source}") | {"expires_at": {"N": str(ends)}}
        self.client.put_item(TableName=self.table, Item=item)

    def _is_known(self, account: str, source: str, at: datetime) -> bool:
        key = _key("known", f"{account} {source}")
        item = self.client.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return item is not None and int(item["expires_at"]["N"]) > at.timestamp()

    def _add(self, key: dict[str, Any], limit: Limit, now: int) -> Mapping[str, Any] | None:
        """Count an attempt in the current window; return the stored counter if it is full or its window is over."""
        outcome = self.writer.update(
            TableName=self.table,
            Key=key,
            UpdateExpression="ADD #count :one",
            ConditionExpression=IS_BELOW_THE_LIMIT,
            ExpressionAttributeNames={"#count": "count", "#expires_at": "expires_at"},
            ExpressionAttributeValues={
                ":one": {"N": "1"},
                ":limit": {"N": str(limit.attempts)},
                ":now": {"N": str(now)},
            },
        )
        return None if isinstance(outcome, Applied) else outcome.item or {}

    def _start_window(self, key: dict[str, Any], now: int, ends: int) -> bool:
        """Start a window with its first attempt unless one is open; return whether it was started."""
        outcome = self.writer.put(
            TableName=self.table,
            Item=key | {"count": {"N": "1"}, "expires_at": {"N": str(ends)}},
            ConditionExpression=IS_OVER,
            ExpressionAttributeNames={"#expires_at": "expires_at"},
            ExpressionAttributeValues={":now": {"N": str(now)}},
        )
        return isinstance(outcome, Applied)


def _key(kind: str, subject: str) -> dict[str, Any]:
    return {"pk": {"S": f"{kind}#{sha256(subject.encode()).hexdigest()}"}}


def account_of(user_id: str | None, login: str) -> str:
    """Return what counts as one account: a user, by any of their names, or a name without a user."""
    return f"user {user_id}" if user_id else f"name {name_key(login)}"


def source_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ip_network((parsed, 64), strict=False))
