"""JSON shapes of the routes of users and credentials."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from domain.users import (
    EMAIL_PATTERN,
    LONGEST_PASSWORD,
    MAX_EMAIL_LENGTH,
    MAX_NAME_LENGTH,
    NAME_PATTERN,
    SHORTEST_PASSWORD,
    USERNAME_PATTERN,
    ApiKey,
    Role,
    User,
    is_common_password,
)
from infra.contracts.event_payloads import Instant, Payload

Username = Annotated[str, Field(strict=True, pattern=USERNAME_PATTERN, examples=["ada"])]
Email = Annotated[
    str,
    Field(strict=True, pattern=EMAIL_PATTERN, max_length=MAX_EMAIL_LENGTH, examples=["ada@example.com"]),
]
Name = Annotated[str, Field(strict=True, pattern=NAME_PATTERN, max_length=MAX_NAME_LENGTH)]


def _refuse_common(password: SecretStr) -> SecretStr:
    if is_common_password(password.get_secret_value()):
        raise ValueError("is one of the most common passwords")
    return password


NewPassword = Annotated[
    SecretStr,
    Field(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        description="The most common passwords are refused",
    ),
    AfterValidator(_refuse_common),
]
# No rules of new passwords: they may have been different when the password was chosen.
GivenPassword = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class RegistrationPayload(Payload):
    """A new user."""

    email: Email
    username: Username
    password: NewPassword
    first_name: Name | None = None
    last_name: Name | None = None


class NewUserPayload(RegistrationPayload):
    """A new user, created by an admin."""

    role: Role = Role.VIEWER


class OwnChangesPayload(Payload):
    """What users may change in their own account; fields that are left out keep their value."""

    email: Email | None = None
    username: Username | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    password: NewPassword | None = Field(default=None, description="Ends every session, including this one")
    current_password: GivenPassword | None = Field(
        default=None, description="Needed with a new `password` or `email`"
    )


class ChangesPayload(Payload):
    """What admins may change in a user's account; fields that are left out keep their value."""

    email: Email | None = Field(
        default=None, description="Only with the session of another admin, not with an API key"
    )
    username: Username | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    password: NewPassword | None = Field(
        default=None,
        description="Ends every session of the user. Only with the session of another admin, not with an API key",
    )
    role: Role | None = None
    is_active: bool | None = Field(
        default=None,
        strict=True,
        description="false ends every session and makes the API keys of the user invalid",
    )


class LoginPayload(Payload):
    """A username or an email address, and the password."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    username: str = Field(strict=True, min_length=1, max_length=MAX_EMAIL_LENGTH)
    password: GivenPassword


class LoginForm(LoginPayload):
    """A login as a form, with the fields that OAuth2 adds and this service ignores."""

    grant_type: Literal["password"] = "password"
    scope: str = ""
    client_id: str | None = None
    client_secret: SecretStr | None = None


class RefreshPayload(Payload):
    """The last refresh token that was issued for the session."""

    refresh_token: str = Field(strict=True, max_length=4096)


class LogoutPayload(Payload):
    """Which session to end."""

    refresh_token: str | None = Field(
        default=None,
        strict=True,
        max_length=4096,
        description="Without it, the session of the access token ends",
    )


class TokenView(BaseModel):
    """The tokens of a session."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds for which the access token is valid", examples=[900])
    refresh_token: str = Field(description="Valid once; each refresh issues the next one")


class UserView(BaseModel):
    """A user."""

    id: str
    email: str
    username: str
    first_name: str | None
    last_name: str | None
    is_active: bool
    is_superuser: bool = Field(description="true for admins")
    role: Role
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, user: User) -> "UserView":
        """Return the view of `user`, without the password hash."""
        return cls(
            id=user.id,
            email=user.email,
            username=user.username,
            first_name=user.first_name,
            last_name=user.last_name,
            is_active=user.is_active,
            is_superuser=user.role is Role.ADMIN,
            role=user.role,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


class UserPageView(BaseModel):
    """A page of users in the order of their creation."""

    items: list[UserView]
    next_cursor: str | None = Field(description="Send this to get the next page; null on the last page")


class ApiKeyPayload(Payload):
    """A new API key."""

    name: Annotated[Name, Field(min_length=1, examples=["meter gateway"])]
    role: Role = Field(default=Role.VIEWER, description="Not higher than the role of its owner")


class ApiKeyView(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    role: Role
    created_at: Instant
    last_used_at: Instant | None = Field(description="To the hour; null before the first use")

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyView":
        """Return the view of `key`."""
        return cls(
            id=key.id,
            name=key.name,
            role=key.role,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
        )


class NewApiKeyView(ApiKeyView):
    """A newly created API key, with the key itself, which is shown only once."""

    key: str = Field(description="Send it in the header X-API-Key")

    @classmethod
    def of_new(cls, key: ApiKey, text: str) -> "NewApiKeyView":
        """Return the view of `key` with its text."""
        return cls(**ApiKeyView.of(key).model_dump(), key=text)


class ApiKeyPage(BaseModel):
    """All API keys of a user, the oldest first."""

    items: list[ApiKeyView]
    next_cursor: None = Field(description="Always null: all keys fit into one answer")
