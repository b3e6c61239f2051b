from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from infra.users.login_throttle import Limit, ThrottledError, ThrottleStore, source_of
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LIMIT = Limit("account", 5, 60)
NOW = datetime(2024, 1, 1, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def store(engine_client: "DynamoDBClient") -> ThrottleStore:
    name = f"throttles-{uuid4().hex}"
    create_table(engine_client, "ThrottlesTable", name)
    return ThrottleStore(engine_client, name)


def passes(store: ThrottleStore, subject: str = "ada", at: datetime = NOW) -> bool:
    try:
        store.count(LIMIT, subject, at)
    except ThrottledError:
        return False
    return True


def test_a_window_starts_with_the_first_attempt_and_allows_exactly_the_limit(store: ThrottleStore) -> None:
    assert [passes(store) for _ in range(7)] == [True] * 5 + [False] * 2
    assert not passes(store, at=NOW + timedelta(seconds=59))
    assert [passes(store, at=NOW + timedelta(seconds=60)) for _ in range(6)] == [True] * 5 + [False]


def test_the_error_says_how_long_the_window_lasts(store: ThrottleStore) -> None:
    for _ in range(LIMIT.attempts):
        store.count(LIMIT, "ada", NOW)
    with pytest.raises(ThrottledError) as raised:
        store.count(LIMIT, "ada", NOW + timedelta(seconds=20))
    assert raised.value.retry_after == 40


def test_subjects_and_kinds_do_not_share_a_counter(store: ThrottleStore) -> None:
    for _ in range(LIMIT.attempts):
        store.count(LIMIT, "ada", NOW)
    assert passes(store, "eve")
    store.count(Limit("source", 5, 60), "ada", NOW)


@pytest.mark.parametrize("at", [NOW, NOW + timedelta(seconds=61)], ids=["first window", "next window"])
def test_of_any_number_of_concurrent_attempts_exactly_the_limit_passes(
    store: ThrottleStore, at: datetime
) -> None:
    if at != NOW:
        passes(store)
    with ThreadPoolExecutor(20) as pool:
        passed = list(pool.map(lambda _: passes(store, at=at), range(100)))

    assert passed.count(True) == LIMIT.attempts


def test_the_table_contains_no_names_and_its_items_expire(
    store: ThrottleStore, engine_client: "DynamoDBClient"
) -> None:
    store.count(LIMIT, "ada@example.com", NOW)

    (item,) = engine_client.scan(TableName=store.table)["Items"]

    assert "ada" not in str(item)
    assert int(item["expires_at"]["N"]) == int(NOW.timestamp()) + LIMIT.seconds


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_the_addresses_of_one_network_are_one_source(address: str, source: str) -> None:
    assert source_of(address) == source
