from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.users import ApiKey, Role, Session, User, caller_by_key, caller_by_session
from infra.commands.command_error import CommandError
from infra.operate.create_admin import Admin, ensure_admin, main
from infra.stores import stores
from infra.users.passwords import hash_password, verify_password

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ROOT = {"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": "correct horse"}


def test_nobody_is_made_an_admin_unless_named() -> None:
    assert Admin.from_environment({}) is None
    assert Admin.from_environment(ROOT) == Admin("root", "root@admin.invalid", "correct horse")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ADMIN_USERNAME": ""}, "ADMIN_USERNAME"),
        ({"ADMIN_USERNAME": "a@b"}, "ADMIN_USERNAME"),
        ({"ADMIN_PASSWORD": ""}, "ADMIN_PASSWORD"),
        ({"ADMIN_PASSWORD": "short"}, "ADMIN_PASSWORD"),
        ({"ADMIN_PASSWORD": "PassWord1"}, "common"),
        ({"ADMIN_EMAIL": "root"}, "ADMIN_EMAIL"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_without_the_password(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(CommandError, match=told) as error:
        Admin.from_environment(ROOT | wrong)
    assert "horse" not in str(error.value)


def test_an_admin_is_made_once_and_mended_when_asked_for_again(cloud: None) -> None:
    users = stores().users
    root = Admin.from_environment(ROOT)
    assert root is not None

    assert ensure_admin(users, stores().api_keys, root, NOW) == "made root, an admin"
    assert ensure_admin(users, stores().api_keys, root, NOW) == "root is still an admin with this password"
    made = users.by_login("root")
    assert made is not None
    assert (made.role, made.is_active, made.version) == (Role.ADMIN, True, 1)

    # The password was lost: whoever may write to the table may set another.
    assert ensure_admin(users, stores().api_keys, root._replace(password="new horse"), NOW) == (
        "root is now an admin with this password"
    )
    mended = users.by_login("root")
    assert mended is not None
    assert verify_password("new horse", mended.password_hash).right
    assert mended.epoch == 2


def test_an_address_of_another_user_is_told(cloud: None) -> None:
    users = stores().users
    ensure_admin(users, stores().api_keys, Admin("root", "same@example.com", "correct horse"), NOW)
    with pytest.raises(CommandError, match="set ADMIN_EMAIL"):
        ensure_admin(users, stores().api_keys, Admin("other", "same@example.com", "correct horse"), NOW)


def test_where_nobody_can_type_a_password_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("infra.operate.create_admin.getpass", ended)
    monkeypatch.setenv("STACK", "x")
    monkeypatch.setenv("ADMIN_USERNAME", "root")
    assert main() == 1
    assert "set ADMIN_PASSWORD" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["STACK", "ADMIN_USERNAME"])
def test_what_is_not_said_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    for name, value in (ROOT | {"STACK": "x"}).items():
        monkeypatch.setenv(name, "" if name == missing else value)
    assert main() == 1
    assert f"{missing}=" in capsys.readouterr().err


def test_whoever_registered_the_name_before_loses_sessions_and_keys(cloud: None) -> None:
    users, sessions, api_keys = stores().users, stores().sessions, stores().api_keys
    squatter = User("1" * 32, "root", "eve@example.com", NOW, NOW, hash_password("wrong horse"))
    users.create(squatter)
    key = ApiKey("2" * 16, squatter.id, "mine", Role.VIEWER, NOW, "secret hash")
    api_keys.create(key)
    session = Session.of(squatter, "3" * 32, "4" * 32, NOW)
    sessions.start(session)

    ensure_admin(users, api_keys, Admin("root", "root@example.com", "correct horse"), NOW)

    assert api_keys.list_of(squatter.id) == ()
    assert caller_by_session(*sessions.get(squatter.id, session.id), NOW) is None
    # A key that was being made meanwhile counts as little.
    api_keys.create(key)
    assert caller_by_key(*api_keys.get(squatter.id, key.id)) is None
    # One that the admin makes counts, also after the next start.
    admin = users.get(squatter.id)
    assert admin is not None
    own = replace(key, id="5" * 16, epoch=admin.key_epoch)
    api_keys.create(own)
    ensure_admin(users, api_keys, Admin("root", "root@example.com", "correct horse"), NOW)
    assert caller_by_key(*api_keys.get(squatter.id, own.id)) is not None


def test_keys_and_users_stored_before_there_were_epochs_still_count(cloud: None) -> None:
    users, api_keys = stores().users, stores().api_keys
    user = User("1" * 32, "ada", "ada@example.com", NOW, NOW, "hash")
    users.create(user)
    api_keys.create(ApiKey("2" * 16, user.id, "mine", Role.VIEWER, NOW, "secret hash"))
    for name in ("USER", f"KEY#{'2' * 16}"):
        key = {"pk": {"S": f"USER#{user.id}"}, "sk": {"S": name}}
        users.client.update_item(TableName=users.table, Key=key, UpdateExpression="REMOVE key_epoch")

    assert caller_by_key(*api_keys.get(user.id, "2" * 16)) is not None
