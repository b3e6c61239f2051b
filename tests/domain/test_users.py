from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from domain.users import (
    SESSION_LIFETIME,
    ApiKey,
    Role,
    Session,
    User,
    caller_by_key,
    caller_by_session,
    is_email,
    is_username,
    rehashed,
    revise,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ADA = User("1", "ada", "ada@example.com", NOW, NOW, "hash", role=Role.OPERATOR)
SESSION = Session.of(ADA, "s", "r", NOW)
KEY = ApiKey("k", ADA.id, "gateway", Role.OPERATOR, NOW, "hash")


def test_each_role_includes_those_before_it_and_itself() -> None:
    order = [Role.VIEWER, Role.OPERATOR, Role.ADMIN]
    for (rank, role), (other_rank, other) in product(enumerate(order), repeat=2):
        assert role.includes(other) is (rank >= other_rank)


def test_a_session_gives_its_user_the_present_role() -> None:
    caller = caller_by_session(replace(ADA, role=Role.ADMIN), SESSION, LATER)

    assert caller is not None
    assert (caller.id, caller.role, caller.is_admin) == ("1", Role.ADMIN, True)


@pytest.mark.parametrize(
    ("user", "session", "at"),
    [
        (None, SESSION, LATER),
        (ADA, None, LATER),
        (replace(ADA, is_active=False), SESSION, LATER),
        (replace(ADA, epoch=2), SESSION, LATER),
        (ADA, SESSION, NOW + SESSION_LIFETIME),
    ],
)
def test_an_invalid_session_gives_no_caller(user: User | None, session: Session | None, at: datetime) -> None:
    assert caller_by_session(ADA, SESSION, NOW + SESSION_LIFETIME - timedelta(microseconds=1))
    assert caller_by_session(user, session, at) is None


def test_a_key_gives_at_most_the_role_of_the_key_and_of_its_owner() -> None:
    for owner, of_key in product(Role, repeat=2):
        caller = caller_by_key(replace(ADA, role=owner), replace(KEY, role=of_key))
        assert caller is not None
        assert owner.includes(caller.role)
        assert of_key.includes(caller.role)
        assert caller.role in (owner, of_key)
        assert caller.session is None


@pytest.mark.parametrize(("user", "key"), [(None, KEY), (ADA, None), (replace(ADA, is_active=False), KEY)])
def test_a_key_without_an_active_user_gives_no_caller(user: User | None, key: ApiKey | None) -> None:
    assert caller_by_key(user, key) is None


def test_a_change_is_counted_and_an_equal_user_is_not_a_change() -> None:
    assert revise(ADA, LATER, first_name=None, role=Role.OPERATOR) is ADA

    changed = revise(ADA, LATER, first_name="Ada")

    assert (changed.version, changed.updated_at, changed.created_at) == (2, LATER, NOW)


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"password_hash": "other"}, True),
        ({"is_active": False}, True),
        ({"role": Role.VIEWER}, False),
        ({"email": "other@example.com", "username": "other"}, False),
    ],
)
def test_a_new_password_and_a_deactivation_end_sessions_and_nothing_else_does(
    changes: dict[str, object], ends: bool
) -> None:
    assert revise(ADA, LATER, **changes).epoch == ADA.epoch + ends
    inactive = replace(ADA, is_active=False)
    assert revise(inactive, LATER, is_active=True).epoch == ADA.epoch


def test_a_better_hash_of_the_same_password_ends_no_session() -> None:
    after = rehashed(ADA, "better")
    assert (after.password_hash, after.epoch, after.version) == ("better", ADA.epoch, 2)


def test_secrets_are_not_shown_where_a_user_is_printed() -> None:
    assert "hash" not in repr(replace(ADA, password_hash="$hash$"))
    assert "$hash$" not in repr(replace(KEY, secret_hash="$hash$"))


@pytest.mark.parametrize("name", ["ada", "a.b-c_9", "x" * 64])
def test_a_username(name: str) -> None:
    assert is_username(name)


@pytest.mark.parametrize("name", ["", "ad", "x" * 65, "a b c", "a@b.de", "ada\n", "ädä", "ada/../x"])
def test_not_a_username(name: str) -> None:
    assert not is_username(name)


@pytest.mark.parametrize("address", ["a@b.de", "a.b+c@x-y.example.com", "o'neil@example.com"])
def test_an_email_address(address: str) -> None:
    assert is_email(address)


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b.de", "a@b", "a@b.", "a@-b.de", "a b@c.de", "a@b.de\n", "ä@b.de", "x" * 250 + "@b.de"],
)
def test_not_an_email_address(address: str) -> None:
    assert not is_email(address)
