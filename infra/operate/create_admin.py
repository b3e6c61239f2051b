"""Makes an admin, since the first one has nobody to ask: `make create-admin`, and at `make run`.

ADMIN_USERNAME names the admin, ADMIN_EMAIL may give an email address. ADMIN_PASSWORD is asked for where it
is not set; it is never an argument, which other users of the machine could read.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from getpass import getpass
from typing import NamedTuple
from uuid import uuid4

import boto3

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
from infra.operate.command import outputs_of, required_variable, run_steps
from infra.users.api_key_store import ApiKeyStore
from infra.users.passwords import hash_password, verify_password
from infra.users.user_store import UserStore


class Admin(NamedTuple):
    """Who is to be an admin."""

    username: str
    email: str
    password: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Admin | None":
        """Read ADMIN_USERNAME, ADMIN_EMAIL and ADMIN_PASSWORD; None where nobody is named.

        Raises:
            CommandError: one of them is not what it must be.
        """
        username, password = environment.get("ADMIN_USERNAME", ""), environment.get("ADMIN_PASSWORD", "")
        if not username and not password:
            return None
        admin = cls(username, environment.get("ADMIN_EMAIL") or f"{username}@admin.invalid", password)
        if not is_username(username):
            raise CommandError("ADMIN_USERNAME needs 3 to 64 letters, digits, dots, dashes or underscores")
        if not is_email(admin.email):
            raise CommandError("ADMIN_EMAIL is not an email address")
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise CommandError(f"ADMIN_PASSWORD needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        if is_common_password(password):
            raise CommandError("ADMIN_PASSWORD is one of the most common passwords")
        return admin


def ensure_admin(users: UserStore, api_keys: ApiKeyStore, admin: Admin, at: datetime) -> str:
    """Make `admin` a user, or the user of that name an active admin with that password; say which.

    A user who was not that yet loses sessions and API keys: anybody may have registered the name.

    Raises:
        CommandError: the email address is another user's.
    """
    found = users.by_login(admin.username)
    if found is None:
        hashed = hash_password(admin.password)
        user = User(uuid4().hex, admin.username, admin.email, at, at, hashed, role=Role.ADMIN)
        try:
            users.create(user)
        except UserExistsError as error:
            raise CommandError(f"{admin.email} is another user's: set ADMIN_EMAIL") from error
        return f"made {admin.username}, an admin"
    is_set = verify_password(admin.password, found.password_hash).right
    hashed = found.password_hash if is_set else hash_password(admin.password)
    changed = users.change(found.id, lambda user: taken_over(user, at, hashed))
    if changed.key_epoch != found.key_epoch:
        # The new epoch has made them invalid already; this only removes their items.
        api_keys.delete_all(found.id)
    return f"{admin.username} is {'still' if changed == found else 'now'} an admin with this password"


def _typed() -> str:
    try:
        return getpass("Password: ")
    except EOFError:
        raise CommandError("nobody is here to type a password: set ADMIN_PASSWORD") from None


def _required_variables(environment: Mapping[str, str]) -> tuple[str, Admin]:
    stack = required_variable(environment, "STACK", "the deployed stack")
    required_variable(environment, "ADMIN_USERNAME", "the admin to make")
    password = environment.get("ADMIN_PASSWORD") or _typed()
    admin = Admin.from_environment({**environment, "ADMIN_PASSWORD": password})
    assert admin is not None  # noqa: S101 - it has a name
    return stack, admin


def _steps() -> Iterator[str]:
    stack, admin = _required_variables(os.environ)
    outputs = outputs_of(boto3.client("cloudformation"), stack)
    client, table = boto3.client("dynamodb"), outputs["users_table_name"]
    yield ensure_admin(UserStore(client, table), ApiKeyStore(client, table), admin, datetime.now(UTC))


def main() -> int:
    """Make an admin of the deployed stack STACK, with the AWS credentials of whoever calls."""
    return run_steps(_steps)


if __name__ == "__main__":
    sys.exit(main())
