from datetime import UTC, datetime

import pytest

from domain.users import Role
from functions.api.users import dependencies as user_deps
from infra.commands.processes import CommandError
from infra.operate.create_admin import Admin, ensure_admin, main
from infra.users.passwords import verify_password

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
        ({"ADMIN_EMAIL": "root"}, "ADMIN_EMAIL"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_without_the_password(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(CommandError, match=told) as error:
        Admin.from_environment(ROOT | wrong)
    assert "horse" not in str(error.value)


def test_an_admin_is_made_once_and_mended_when_asked_for_again(cloud: None) -> None:
    users = user_deps._users()
    root = Admin.from_environment(ROOT)
    assert root is not None

    assert ensure_admin(users, root, NOW) == "made root, an admin"
    assert ensure_admin(users, root, NOW) == "root is still an admin with this password"
    made = users.by_login("root")
    assert made is not None
    assert (made.role, made.is_active, made.version) == (Role.ADMIN, True, 1)

    # The password was lost: whoever may write to the table may set another.
    assert ensure_admin(users, root._replace(password="new horse"), NOW) == (
        "root is now an admin with this password"
    )
    mended = users.by_login("root")
    assert mended is not None
    assert verify_password("new horse", mended.password_hash).right
    assert mended.epoch == 2


def test_an_address_of_another_user_is_told(cloud: None) -> None:
    users = user_deps._users()
    ensure_admin(users, Admin("root", "same@example.com", "correct horse"), NOW)
    with pytest.raises(CommandError, match="set ADMIN_EMAIL"):
        ensure_admin(users, Admin("other", "same@example.com", "correct horse"), NOW)


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
