"""Makes an admin, since the first one has nobody to ask: `make create-admin`, and at `make run`.

ADMIN_USERNAME names the admin, ADMIN_EMAIL may give an email address. ADMIN_PASSWORD is asked for where it
is not set; it is never an argument, which other users of the machine could read.
"""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from getpass import getpass
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from domain.users import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    Role,
    User,
    UserExistsError,
    is_email,
    is_username,
    revise,
)
from infra.local.processes import LocalRunError
from infra.passwords import hash_password, verify_password
from infra.users import UserStore

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


class Admin(NamedTuple):
    """Who is to be an admin."""

    username: str
    email: str
    password: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Admin | None":
        """Read ADMIN_USERNAME, ADMIN_EMAIL and ADMIN_PASSWORD; None where nobody is named.

        Raises:
            LocalRunError: one of them is not what it must be.
        """
        username, password = environment.get("ADMIN_USERNAME", ""), environment.get("ADMIN_PASSWORD", "")
        if not username and not password:
            return None
        admin = cls(username, environment.get("ADMIN_EMAIL") or f"{username}@admin.invalid", password)
        if not is_username(username):
            raise LocalRunError("ADMIN_USERNAME needs 3 to 64 letters, digits, dots, dashes or underscores")
        if not is_email(admin.email):
            raise LocalRunError("ADMIN_EMAIL is not an email address")
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise LocalRunError(f"ADMIN_PASSWORD needs {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
        return admin


def ensure_admin(users: UserStore, admin: Admin, at: datetime) -> str:
    """Make `admin` a user, or the user of that name an active admin with that password; say which.

    Raises:
        LocalRunError: the email address is another user's.
    """
    found = users.by_login(admin.username)
    if found is None:
        hashed = hash_password(admin.password)
        user = User(uuid4().hex, admin.username, admin.email, at, at, hashed, role=Role.ADMIN)
        try:
            users.create(user)
        except UserExistsError as error:
            raise LocalRunError(f"{admin.email} is another user's: set ADMIN_EMAIL") from error
        return f"made {admin.username}, an admin"
    is_set = verify_password(admin.password, found.password_hash).right
    hashed = found.password_hash if is_set else hash_password(admin.password)
    changed = users.change(
        found.id,
        lambda user: revise(user, at, role=Role.ADMIN, is_active=True, password_hash=hashed),
    )
    return f"{admin.username} is {'still' if changed == found else 'now'} an admin with this password"


def _asked_for(environment: Mapping[str, str]) -> Admin:
    for variable, meaning in (("STACK", "the deployed stack"), ("ADMIN_USERNAME", "the admin to make")):
        if not environment.get(variable):
            raise LocalRunError(f"{variable}= names {meaning}")
    password = environment.get("ADMIN_PASSWORD") or getpass("Password: ")
    admin = Admin.from_environment({**environment, "ADMIN_PASSWORD": password})
    assert admin is not None  # noqa: S101 - it has a name
    return admin


def _table_of(stacks: "CloudFormationClient", stack: str) -> str:
    described = stacks.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    if "UsersTableName" not in outputs:
        raise LocalRunError(f"the stack {stack} has no table of users")
    return outputs["UsersTableName"]


def main() -> int:
    """Make an admin of the deployed stack STACK, with the AWS credentials of whoever calls."""
    environment = os.environ
    try:
        admin = _asked_for(environment)
        table = _table_of(boto3.client("cloudformation"), environment["STACK"])
        print(ensure_admin(UserStore(boto3.client("dynamodb"), table), admin, datetime.now(UTC)))
    except (LocalRunError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
