import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.users import ApiKey, Role, Session, User, caller_by_key, caller_by_session
from infra.commands.command_error import CommandError
from infra.operate.create_admin import Admin, _required_variables, ensure_admin, main
from infra.stores import stores
from infra.users.passwords import hash_password, verify_password

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ROOT = {"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": "correct horse"}


def test_without_a_name_no_admin_is_created() -> None:
    assert Admin.from_environment({}) is None
    assert Admin.from_environment(ROOT) == Admin("root", "root@admin.invalid", "correct horse")


@pytest.mark.parametrize(
    ("wrong", "variable"),
    [
        ({"ADMIN_USERNAME": ""}, "ADMIN_USERNAME"),
        ({"ADMIN_USERNAME": "a@b"}, "ADMIN_USERNAME"),
        ({"ADMIN_PASSWORD": ""}, "ADMIN_PASSWORD"),
        ({"ADMIN_PASSWORD": "short"}, "ADMIN_PASSWORD"),
        ({"ADMIN_PASSWORD": "PassWord1"}, "common"),
        ({"ADMIN_EMAIL": "root"}, "ADMIN_EMAIL"),
    ],
)
def test_the_error_names_the_wrong_variable_and_not_the_password(
    wrong: dict[str, str], variable: str
) -> None:
    with pytest.raises(CommandError, match=variable) as error:
        Admin.from_environment(ROOT | wrong)
    assert "horse" not in str(error.value)


def test_an_admin_is_created_once_and_updated_when_the_command_is_repeated(cloud: None) -> None:
    users = stores().users
    root = Admin.from_environment(ROOT)
    assert root is not None

    assert ensure_admin(users, stores().api_keys, root, NOW) == "created the admin root"
    assert ensure_admin(users, stores().api_keys, root, NOW) == "root is still an admin with this password"
    created = users.by_login("root")
    assert created is not None
    assert (created.role, created.is_active, created.version) == (Role.ADMIN, True, 1)

    # The password was lost: a person who may write to the table may set another.
    assert ensure_admin(users, stores().api_keys, root._replace(password="new horse"), NOW) == (
        "root is now an admin with this password"
    )
    updated = users.by_login("root")
    assert updated is not None
    assert verify_password("new horse", updated.password_hash).right
    assert updated.epoch == 2


def test_an_email_address_of_another_user_is_refused(cloud: None) -> None:
    users = stores().users
    ensure_admin(users, stores().api_keys, Admin("root", "same@example.com", "correct horse"), NOW)
    with pytest.raises(CommandError, match="set ADMIN_EMAIL"):
        ensure_admin(users, stores().api_keys, Admin("other", "same@example.com", "correct horse"), NOW)


def test_an_admin_keeps_the_email_address_and_the_command_says_so(cloud: None) -> None:
    users, api_keys = stores().users, stores().api_keys
    first = Admin("root", "old@example.com", "correct horse")
    ensure_admin(users, api_keys, first, NOW)
    kept = "; it keeps the email address old@example.com, which PUT /api/v1/users/me changes"
    again = ensure_admin(users, api_keys, first._replace(email="new@example.com"), NOW)
    assert again == f"root is still an admin with this password{kept}"
    assert ensure_admin(users, api_keys, first._replace(email="OLD@example.com"), NOW).endswith("password")
    without = Admin.from_environment(ROOT)
    assert without is not None
    assert ensure_admin(users, api_keys, without, NOW).endswith("password"), "no other address was asked for"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is typed at the prompts, which are answered in this order."""
    answers: list[str] = []
    monkeypatch.setattr("infra.operate.create_admin.getpass", lambda _prompt: answers.pop(0))
    for name, value in {"STACK": "x", "ADMIN_USERNAME": "root"}.items():
        monkeypatch.setenv(name, value)
    return answers


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (["short"], "8 to 128 characters"),
        (["password1"], "most common"),
        (["correct horse", "correct hose"], "the two passwords differ: nothing was changed"),
    ],
)
def test_a_typed_password_is_checked_before_it_is_asked_for_again(
    typed: list[str], capsys: pytest.CaptureFixture[str], answers: list[str], message: str
) -> None:
    typed += answers
    assert main() == 1
    printed = capsys.readouterr()
    rule, error = printed.err.splitlines()
    assert rule == "The password needs 8 to 128 characters, and must not be one of the most common."
    assert message in error
    assert typed == []
    assert not [answer for answer in answers if answer in printed.err + printed.out]


def test_the_name_is_checked_before_the_password_is_asked_for(
    typed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ADMIN_USERNAME", "a@b")
    assert main() == 1
    assert capsys.readouterr().err.startswith("error: ADMIN_USERNAME needs")


def test_a_password_that_is_typed_twice_is_taken(typed: list[str]) -> None:
    typed += ["correct horse"] * 2
    assert _required_variables(os.environ) == ("x", Admin("root", "root@admin.invalid", "correct horse"))
    assert typed == []


def test_without_a_terminal_the_error_asks_for_the_password_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_terminal(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("infra.operate.create_admin.getpass", no_terminal)
    monkeypatch.setenv("STACK", "x")
    monkeypatch.setenv("ADMIN_USERNAME", "root")
    assert main() == 1
    assert "set ADMIN_PASSWORD" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["STACK", "ADMIN_USERNAME"])
def test_a_missing_variable_is_named(
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
