"""One active admin always remains: on AWS's own engine, with writers that race."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations, product
from threading import Barrier
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from domain.users import LastAdminError, Role, User, UserNotFoundError, revise
from infra.users import last_admin
from infra.users.last_admin import LIST_KEY, list_change
from infra.users.user_store import UserStore
from infra.write_outcomes import OutcomeUnknownError
from tests.conftest import create_table
from tests.infra.users.test_user_store import NOW, a_user
from tests.proof_level import cases

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = cases(4, 12)
WAYS = ("delete", "demote", "deactivate")


@pytest.fixture
def store(engine_client: "DynamoDBClient") -> UserStore:
    name = f"users-{uuid4().hex}"
    create_table(engine_client, "UsersTable", name)
    return UserStore(engine_client, name)


def make_admins(store: UserStore, count: int, *, listed: bool = True) -> list[User]:
    made = [a_user(f"admin{number}", role=Role.ADMIN) for number in range(count)]
    for user in made:
        store.create(user)
    if not listed:
        # As in tables that are older than the list.
        store.client.delete_item(TableName=store.table, Key=LIST_KEY)
    return made


def remove(store: UserStore, user: User, way: str) -> str:
    try:
        if way == "delete":
            store.delete(user.id)
        else:
            change: dict[str, object] = {"role": Role.VIEWER} if way == "demote" else {"is_active": False}
            store.change(user.id, lambda before: revise(before, NOW, **change))
    except LastAdminError:
        return "last"
    except (UserNotFoundError, OutcomeUnknownError) as error:
        return type(error).__name__
    return "removed"


def remaining(store: UserStore) -> set[str]:
    users = store.page(200, None).users
    return {user.id for user in users if user.is_active_admin}


def members(store: UserStore) -> set[str]:
    item = store.client.get_item(TableName=store.table, Key=LIST_KEY, ConsistentRead=True).get("Item", {})
    return set(item.get("members", {"SS": []})["SS"])


def remove_all_at_once(store: UserStore, users: list[User], way: str) -> list[str]:
    barrier = Barrier(len(users), timeout=30)

    def run(user: User) -> str:
        barrier.wait()
        return remove(store, user, way)

    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(run, users))


def delete_all(store: UserStore) -> None:
    items = store.client.scan(TableName=store.table)["Items"]
    requests: list[Any] = [{"DeleteRequest": {"Key": {"pk": item["pk"], "sk": item["sk"]}}} for item in items]
    for first in range(0, len(requests), 25):
        store.client.batch_write_item(RequestItems={store.table: requests[first : first + 25]})


def attempts_without_a_remaining_admin(store: UserStore, way: str, *, count: int, listed: bool) -> int:
    failed = 0
    for _ in range(ATTEMPTS):
        users = make_admins(store, count, listed=listed)
        outcomes = remove_all_at_once(store, users, way)
        left = remaining(store)
        failed += not left
        assert outcomes.count("removed") == count - len(left)
        delete_all(store)
    return failed


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "in a table older than the list"])
@pytest.mark.parametrize("way", WAYS)
def test_admins_who_remove_each_other_concurrently_leave_one(
    store: UserStore, way: str, *, listed: bool
) -> None:
    assert attempts_without_a_remaining_admin(store, way, count=2, listed=listed) == 0


def test_of_many_admins_removed_concurrently_one_remains(store: UserStore) -> None:
    assert attempts_without_a_remaining_admin(store, "delete", count=6, listed=False) == 0


def test_without_the_condition_no_admin_remains(store: UserStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_admin, "ANOTHER_REMAINS", ":one = :one OR #members = :id")
    assert attempts_without_a_remaining_admin(store, "demote", count=2, listed=True) == ATTEMPTS


@pytest.mark.parametrize("way", WAYS)
def test_the_last_admin_stays_and_any_other_may_go(store: UserStore, way: str) -> None:
    first, second = make_admins(store, 2)
    store.create(a_user("reader"))
    store.create(a_user("gone", role=Role.ADMIN, is_active=False))

    assert [remove(store, user, way) for user in (first, second)] == ["removed", "last"]
    assert remaining(store) == members(store) == {second.id}
    assert store.get(second.id) == second


def test_a_user_who_becomes_an_admin_again_is_on_the_list_again(store: UserStore) -> None:
    first, second = make_admins(store, 2)
    remove(store, first, "deactivate")
    store.change(first.id, lambda user: revise(user, NOW, is_active=True))

    assert remove(store, second, "delete") == "removed"
    assert remaining(store) == members(store) == {first.id}


def test_an_outdated_listing_does_not_put_a_former_admin_on_the_list(store: UserStore) -> None:
    first, second = make_admins(store, 2, listed=False)
    # The listing still shows this one as an admin.
    stale = replace(second)
    store.create(a_user("third", role=Role.ADMIN))
    remove(store, second, "demote")

    assert not store._admins._put_on_list(stale)
    assert second.id not in members(store)
    assert first.id in remaining(store)


IDS = ("a", "b", "c")
LISTS = [frozenset(chosen) for size in range(len(IDS) + 1) for chosen in combinations(IDS, size)]


def differences(store: UserStore) -> Iterator[tuple[frozenset[str], str]]:
    """Yield the small cases in which the condition and the rule disagree: another admin must be on the list."""
    for listed, leaving in product(LISTS, IDS):
        item = LIST_KEY | ({"members": {"SS": sorted(listed)}} if listed else {})
        store.client.put_item(TableName=store.table, Item=item)
        user = replace(a_user(), id=leaving, role=Role.ADMIN)
        try:
            store.client.transact_write_items(TransactItems=list_change(store.table, user, None))  # type: ignore[arg-type]
        except ClientError:
            allowed = False
        else:
            allowed = True
        if allowed != bool(listed - {leaving}):
            yield listed, leaving


def test_the_condition_and_the_rule_agree_in_every_small_case(store: UserStore) -> None:
    assert list(differences(store)) == []


@pytest.mark.parametrize(
    "mutant",
    [
        "size(#members) > :one OR NOT contains(#members, :id)",
        "attribute_exists(#members) AND size(#members) > :one AND NOT contains(#members, :id)",
        "attribute_exists(#members) AND (size(#members) >= :one OR NOT contains(#members, :id))",
        "attribute_exists(#members) AND (size(#members) > :one OR contains(#members, :id))",
        "attribute_exists(#members) OR (size(#members) > :one OR NOT contains(#members, :id))",
        "attribute_not_exists(#members) AND (size(#members) > :one OR NOT contains(#members, :id))",
    ],
)
def test_a_condition_with_one_fault_is_detected(
    store: UserStore, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    monkeypatch.setattr(last_admin, "ANOTHER_REMAINS", mutant)
    assert any(differences(store))
