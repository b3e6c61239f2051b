"""The store of users on AWS's own engine: unique names, and concurrent changes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from domain.users import Role, Session, User, UserExistsError, UserNotFoundError, revise
from infra.users.session_store import SessionStore
from infra.users.user_store import UserStore
from tests.conftest import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2024, 1, 1, tzinfo=UTC)
AT_ONCE = 12


@pytest.fixture
def store(engine_client: "DynamoDBClient") -> UserStore:
    name = f"users-{uuid4().hex}"
    create_table(engine_client, "UsersTable", name)
    return UserStore(engine_client, name)


def a_user(username: str = "ada", **fields: object) -> User:
    user = User(uuid4().hex, username, f"{username}@example.com", NOW, NOW, "hash")
    return replace(user, **fields)  # type: ignore[arg-type]


def all_at_once(work: Callable[[int], object]) -> list[object]:
    barrier = Barrier(AT_ONCE, timeout=30)

    def run(number: int) -> object:
        barrier.wait()
        try:
            return work(number)
        except UserExistsError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def names_in(store: UserStore) -> set[str]:
    items = store.client.scan(TableName=store.table)["Items"]
    return {str(item["pk"]["S"]) for item in items if not item["pk"]["S"].startswith("USER#")}


@pytest.mark.parametrize("same", ["username", "email"])
def test_of_many_concurrent_users_with_one_name_only_one_is_created(store: UserStore, same: str) -> None:
    def register(number: int) -> None:
        name = "ADA" if number % 2 else "ada"
        taken = name if same == "username" else f"{name}@example.com"
        store.create(replace(a_user(f"user{number}"), **{same: taken}))  # type: ignore[arg-type]

    outcomes = all_at_once(register)

    assert outcomes.count(None) == 1
    assert len(names_in(store)) == 2
    assert len(store.page(50, None).users) == 1


def test_concurrent_changes_are_all_kept(store: UserStore) -> None:
    user = a_user()
    store.create(user)
    fields: list[dict[str, object]] = [{"first_name": "Ada"}, {"last_name": "L"}, {"role": Role.OPERATOR}]
    barrier = Barrier(len(fields), timeout=30)

    def change(changes: dict[str, object]) -> User:
        barrier.wait()
        return store.change(user.id, lambda before: revise(before, NOW, **changes))

    with ThreadPoolExecutor(len(fields)) as pool:
        list(pool.map(change, fields))

    stored = store.get(user.id)
    assert stored is not None
    assert (stored.first_name, stored.last_name, stored.role) == ("Ada", "L", Role.OPERATOR)
    assert stored.version == 4


def test_a_change_of_an_older_version_is_not_stored(store: UserStore) -> None:
    before = a_user()
    store.create(before)
    first = revise(before, NOW, first_name="first", username="first")
    second = revise(before, NOW, first_name="second", username="second")

    assert store.replace(before, first)
    assert not store.replace(before, second)

    assert store.get(before.id) == first
    assert names_in(store) == {"NAME#first", "EMAIL#ada@example.com"}


def test_a_changed_name_frees_the_old_one_and_takes_the_new_one(store: UserStore) -> None:
    ada, eve = a_user("ada"), a_user("eve")
    for user in (ada, eve):
        store.create(user)
    with pytest.raises(UserExistsError):
        store.change(ada.id, lambda user: revise(user, NOW, email="EVE@example.com"))

    store.change(ada.id, lambda user: revise(user, NOW, username="Lovelace", email="a@example.com"))
    store.change(ada.id, lambda user: revise(user, NOW, username="LOVELACE"))

    assert names_in(store) == {"NAME#lovelace", "EMAIL#a@example.com", "NAME#eve", "EMAIL#eve@example.com"}
    assert store.by_login("ada") is None
    found = store.by_login("lovelace")
    assert found is not None
    assert (found.id, found.username) == (ada.id, "LOVELACE")


def test_concurrent_deletions_delete_once_and_leave_no_name(store: UserStore) -> None:
    user = a_user()
    store.create(user)

    def delete(_: int) -> str:
        try:
            store.delete(user.id)
        except UserNotFoundError:
            return "gone"
        return "deleted"

    assert sorted(map(str, all_at_once(delete))).count("deleted") == 1
    assert store.client.scan(TableName=store.table)["Items"] == []


def test_what_is_read_is_what_was_stored(store: UserStore) -> None:
    user = a_user(first_name="Ada", role=Role.ADMIN, is_active=False, version=3, epoch=2)
    store.create(user)

    assert store.get(user.id) == store.by_login("ADA@example.com") == user
    (listed,) = store.page(50, None).users
    assert listed == replace(user, password_hash="")


def test_of_concurrent_refreshes_one_succeeds(store: UserStore) -> None:
    sessions = SessionStore(store.client, store.table)
    user = a_user()
    store.create(user)
    session = Session.of(user, "1" * 32, "first", NOW)
    sessions.start(session)

    outcomes = all_at_once(lambda number: sessions.rotate(session, f"next {number}"))

    assert outcomes.count(True) == 1
    assert sessions.get(user.id, session.id) == (
        user,
        replace(session, refresh_id=f"next {outcomes.index(True)}"),
    )
    # A request that the SDK sends again after a lost response is not a reuse.
    assert sessions.rotate(session, f"next {outcomes.index(True)}")
