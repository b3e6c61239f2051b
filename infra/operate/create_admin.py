"""Creates an admin, which the API cannot do before there is one: `make create-admin`, and at `make run`.

ADMIN_USERNAME is the name of the admin, ADMIN_EMAIL an email address (optional). If ADMIN_PASSWORD is not set, the
command asks for it twice. It is never an argument, since other users of the machine could read that.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from getpass import getpass
from typing import NamedTuple
from uuid import uuid4

from domain.users import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    Role,
    User,
    UserExistsError,
    is_common_password,
    is_email,
    is_username,
    taken_over,
)
from infra.commands.command_error import CommandError
from infra.operate import clients
from infra.operate.command import required_variable, run_steps, stack_outputs
from infra.users.api_key_store import ApiKeyStore
from infra.users.passwords import hash_password, verify_password
from infra.users.user_store import UserStore


class Admin(NamedTuple):
    """The admin to create."""

    username: str
    email: str
    password: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Admin | None":
        """Read ADMIN_USERNAME, ADMIN_EMAIL and ADMIN_PASSWORD; None if neither name nor password is set.

        Raises:
            CommandError: one of them is not valid.
        """
        username, password = environment.get("ADMIN_USERNAME", ""), environment.get("ADMIN_PASSWORD", "")
        if not username and not password:
            return None
        admin = cls(username, environment.get("ADMIN_EMAIL") or _default_email(username), password)
        admin.require_names()
        _require_password(password, "ADMIN_PASSWORD")
        return admin

    def require_names(self) -> None:
        """Raise CommandError if the name or the email address is not valid."""
        if not is_username(self.username):
            raise CommandError("ADMIN_USERNAME needs 3 to 64 letters, digits, dots, dashes or underscores")
        if not is_email(self.email):
            raise CommandError("ADMIN_EMAIL is not an email address")

    def kept_email(self, found: User) -> str | None:
        """Return the email address of a user that stays although another one was asked for."""
        is_asked = self.email != _default_email(self.username)
        return found.email if is_asked and self.email.lower() != found.email.lower() else None


def _default_email(username: str) -> str:
    return f"{username}@admin.invalid"


def _require_password(password: str, name: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise CommandError(f"{name} needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if is_common_password(password):
        raise CommandError(f"{name} is one of the most common passwords")


def ensure_admin(users: UserStore, api_keys: ApiKeyStore, admin: Admin, at: datetime) -> str:
    """Create `admin`, or make the user of that name an active admin with that password; return what was done.

    A user who was no such admin before loses all sessions and API keys: another person may have registered the name.

    Raises:
        CommandError: the email address belongs to another user.
    """
    found = users.by_login(admin.username)
    if found is None:
        hashed = hash_password(admin.password)
        user = User(uuid4().hex, admin.username, admin.email, at, at, hashed, role=Role.ADMIN)
        try:
            users.create(user)
        except UserExistsError as error:
            raise CommandError(f"{admin.email} belongs to another user: set ADMIN_EMAIL") from error
        return f"created the admin {admin.username}"
    is_current = verify_password(admin.password, found.password_hash).right
    hashed = found.password_hash if is_current else hash_password(admin.password)
    changed = users.change(found.id, lambda user: taken_over(user, at, hashed))
    if changed.key_epoch != found.key_epoch:
        # The keys are invalid already; this removes their items.
        api_keys.delete_all(found.id)
    email = admin.kept_email(found)
    kept = f"; it keeps the email address {email}, which PUT /api/v1/users/me changes" if email else ""
    return f"{admin.username} is {'still' if changed == found else 'now'} an admin with this password{kept}"


def _ask_for_password() -> str:
    """Ask for a password twice; CommandError if it is not allowed, or differs the second time."""
    rule = f"The password needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
    print(f"{rule}, and must not be one of the most common.", file=sys.stderr)
    try:
        password = getpass("Password: ")
        _require_password(password, "the password")
        again = getpass("The same again: ")
    except EOFError:
        raise CommandError("no password was typed, since there is no terminal: set ADMIN_PASSWORD") from None
    if again != password:
        raise CommandError("the two passwords differ: nothing was changed")
    return password


def _required_variables(environment: Mapping[str, str]) -> tuple[str, Admin]:
    stack = required_variable(environment, "STACK", "the name of the deployed stack")
    username = required_variable(environment, "ADMIN_USERNAME", "the name of the admin to create")
    Admin(username, environment.get("ADMIN_EMAIL") or _default_email(username), "").require_names()
    password = environment.get("ADMIN_PASSWORD") or _ask_for_password()
    admin = Admin.from_environment({**environment, "ADMIN_PASSWORD": password})
    assert admin is not None  # noqa: S101 - the name is set
    return stack, admin


def _steps() -> Iterator[str]:
    stack, admin = _required_variables(os.environ)
    outputs = stack_outputs(clients.cloudformation(), stack)
    client, table = clients.dynamodb(), outputs["users_table_name"]
    yield ensure_admin(UserStore(client, table), ApiKeyStore(client, table), admin, datetime.now(UTC))


def main() -> int:
    """Create an admin of the deployed stack STACK, with the AWS credentials of the person who runs this."""
    return run_steps(_steps)


if __name__ == "__main__":
    sys.exit(main())
