"""The one place that reads the environment."""

import os
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class AuthMode(StrEnum):
    """Who is let in: callers with credentials, or (on a laptop only) everybody."""

    REQUIRED = "required"
    OPEN = "open"


class Registration(StrEnum):
    """Who makes users: everybody their own, or only admins."""

    OPEN = "open"
    CLOSED = "closed"


def _names(text: Any) -> Any:  # noqa: ANN401 - pydantic says of what is no text that it is none
    return tuple(filter(None, map(str.strip, text.split(",")))) if isinstance(text, str) else text


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Names with commas between them."""

_LOCAL_STAGES = ("local", "test")


class Settings(BaseModel):
    """What template.yaml passes to every function; a field is the variable in lower case.

    A plain pydantic model: pydantic-settings costs a cold start about as much as FastAPI itself
    and would read nothing but these variables.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper)

    stage: str
    contracts_table: str
    enable_event_audit: bool = True
    aws_endpoint_url: str = ""


class ApiSettings(Settings):
    """What the HTTP API is told besides."""

    auth_mode: AuthMode = AuthMode.REQUIRED
    signing_secret: str = Field(min_length=1)
    idempotency_table: str
    readings_table: str
    export_jobs_table: str
    export_bucket: str
    export_queue_url: str
    users_table: str
    throttles_table: str
    registration: Registration = Registration.CLOSED
    allowed_origins: Names = ()
    allow_credentials: bool = False
    allowed_hosts: Names = ()

    @model_validator(mode="after")
    def _is_safe_to_start(self) -> Self:
        if self.auth_mode is AuthMode.OPEN and self.stage not in _LOCAL_STAGES:
            raise ValueError("AUTH_MODE=open is for local runs only")
        if "*" in self.allowed_origins and self.allow_credentials:
            raise ValueError(
                "ALLOWED_ORIGINS=* with ALLOW_CREDENTIALS would let any site act as its visitors"
            )
        return self


class IngestionSettings(Settings):
    """What the ingestion function is told besides."""

    ingestion_queue_url: str
    readings_table: str
    max_receives: int


class PublisherSettings(Settings):
    """What the function that publishes changes is told besides."""

    event_bus: str


class ExportSweepSettings(Settings):
    """What the function that looks after export jobs is told besides."""

    export_jobs_table: str
    export_queue_url: str


class ExportSettings(ExportSweepSettings):
    """What the function that makes export files is told besides."""

    readings_table: str
    export_bucket: str


_Settings = TypeVar("_Settings", bound=Settings)


@cache
def settings(kind: type[_Settings]) -> _Settings:
    """Read the environment, once, when first asked.

    Raises:
        pydantic.ValidationError: a variable is missing or has a value it must not have.
    """
    return kind.model_validate(dict(os.environ))
