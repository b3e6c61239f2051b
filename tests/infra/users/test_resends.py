"""Writes of users and credentials on a network that doubles, loses and refuses them, on DynamoDB Local."""

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from domain.users import (
    ApiKey,
    ApiKeyNotFoundError,
    Role,
    Session,
    UserExistsError,
    UserNotFoundError,
    revise,
)
from infra.users.api_key_store import ApiKeyStore
from infra.users.session_store import SessionStore
from infra.users.user_store import UserStore
from infra.write_outcomes import BusyError, OutcomeUnknownError
from tests.conftest import create_table
from tests.faults import Fault, FaultyNetwork
from tests.infra.users.test_user_store import NOW, a_user

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SENT_TWICE = [Fault.DOUBLED, Fault.LOST_ANSWER, Fault.ERROR_AFTER, Fault.THROTTLED, Fault.CONFLICT]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def network(engine_client: "DynamoDBClient") -> FaultyNetwork:
    return FaultyNetwork(engine_client)


@pytest.fixture
def store(engine_client: "DynamoDBClient", network: FaultyNetwork) -> UserStore:
    name = f"users-{uuid4().hex}"
    create_table(engine_client, "UsersTable", name)
    return UserStore(engine_client, name)


@pytest.mark.parametrize("fault", SENT_TWICE)
def test_a_user_whose_writes_are_sent_twice_is_created_changed_and_deleted_once(
    store: UserStore, network: FaultyNetwork, fault: Fault
) -> None:
    user = a_user()
    network.faults = iter([fault])
    store.create(user)
    with pytest.raises(UserExistsError):
        store.create(a_user())
    network.faults = iter([Fault.NONE, fault])
    changed = store.change(user.id, lambda before: revise(before, NOW, username="eve"))
    assert (changed.username, changed.version) == ("eve", 2)
    network.faults = iter([Fault.NONE, fault])
    store.delete(user.id)
    with pytest.raises(UserNotFoundError):
        store.delete(user.id)


@pytest.mark.parametrize("fault", SENT_TWICE)
def test_an_api_key_whose_revocation_is_sent_twice_is_revoked_once(
    store: UserStore, network: FaultyNetwork, fault: Fault
) -> None:
    keys = ApiKeyStore(store.client, store.table)
    key = ApiKey("1" * 16, "2" * 32, "meter", Role.VIEWER, NOW, "hash")
    keys.create(key)
    network.faults = iter([fault])
    keys.revoke(key.user_id, key.id)
    with pytest.raises(ApiKeyNotFoundError):
        keys.revoke(key.user_id, key.id)


@pytest.mark.parametrize("fault", SENT_TWICE)
def test_a_refresh_that_is_sent_twice_counts_as_the_first(
    store: UserStore, network: FaultyNetwork, fault: Fault
) -> None:
    sessions = SessionStore(store.client, store.table)
    session = Session.of(a_user(), "1" * 32, "first", NOW)
    sessions.start(session)
    network.faults = iter([fault])
    assert sessions.rotate(session, "second")
    assert not sessions.rotate(session, "third")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.LOST_ANSWER, OutcomeUnknownError),
        (Fault.LOST_REQUEST, BusyError),
        (Fault.CONFLICT, BusyError),
        (Fault.ERROR_BEFORE, OutcomeUnknownError),
    ],
)
def test_a_write_that_is_never_answered_is_unknown_unless_it_certainly_did_nothing(
    store: UserStore, network: FaultyNetwork, fault: Fault, error: type[Exception]
) -> None:
    network.faults = iter([fault] * 30)
    with pytest.raises(error):
        store.create(a_user())


def test_an_admin_whose_listing_meets_a_conflict_is_listed(store: UserStore, network: FaultyNetwork) -> None:
    user = a_user(role=Role.ADMIN)
    store.create(user)
    network.faults = iter([Fault.CONFLICT])
    assert store._admins._put_on_list(user)
