"""The one place that reads the environment."""

import os
from enum import StrEnum
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class AuthMode(StrEnum):
    """Whether callers need credentials; open is for local runs only."""

    REQUIRED = "required"
    OPEN = "open"


class Registration(StrEnum):
    """Who may create users: anyone, or only admins."""

    OPEN = "open"
    CLOSED = "closed"


def _names(text: Any) -> Any:  # noqa: ANN401 - pydantic refuses what is not text
    return tuple(filter(None, map(str.strip, text.split(",")))) if isinstance(text, str) else text


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""Names separated by commas."""

_OPEN_STAGES = ("local", "test")
_EMULATOR_HOSTS = ("localhost", "host.docker.internal")


class Settings(BaseModel):
    """What template.yaml passes to every function; each field is the variable of the same name in upper case.

    A plain pydantic model: importing pydantic-settings adds about as much to a cold start as FastAPI itself.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper)

    stage: str
    contracts_table: str
    enable_event_audit: bool = True
    aws_endpoint_url: str = ""
    aws_lambda_function_name: str = ""


class ReadingSettings(Settings):
    """What functions that read or store readings need in addition."""

    readings_table: str


class ExportQueueSettings(Settings):
    """What functions that create or recover export jobs need in addition."""

    export_jobs_table: str
    export_queue_url: str


class ExportSettings(ExportQueueSettings, ReadingSettings):
    """What functions that write or read export files need in addition."""

    export_bucket: str


class PortfolioSettings(Settings):
    """What functions that keep or read the portfolio need besides."""

    portfolio_table: str
    event_log_days: int = Field(default=30, ge=0)


class DeadLetterSettings(Settings):
    """What functions that list and redrive dead letters need besides."""

    ingestion_queue_url: str
    rule_dead_letter_queue_url: str
    ingestion_dead_letter_queue_url: str
    publisher_dead_letter_queue_url: str
    portfolio_dead_letter_queue_url: str
    export_dead_letter_queue_url: str


class ApiSettings(ExportSettings, PortfolioSettings, DeadLetterSettings):
    """What the HTTP API needs besides."""

    auth_mode: AuthMode = AuthMode.REQUIRED
    signing_secret: str = Field(min_length=1)
    idempotency_table: str
    users_table: str
    throttles_table: str
    registration: Registration = Registration.CLOSED
    allowed_origins: Names = ()
    allow_credentials: bool = False
    allowed_hosts: Names = ()

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.auth_mode is AuthMode.OPEN:
            if self.stage not in _OPEN_STAGES:
                raise ValueError("AUTH_MODE=open is for local runs only")
            # Anyone can choose the name of a stage, but a deployed function never has the address of an emulator.
            is_test = self.stage == "test" and not self.aws_lambda_function_name
            if not (is_test or _is_emulator(self.aws_endpoint_url)):
                raise ValueError("AUTH_MODE=open needs the address of an emulated AWS in AWS_ENDPOINT_URL")
        if "*" in self.allowed_origins and self.allow_credentials:
            raise ValueError(
                "ALLOWED_ORIGINS=* with ALLOW_CREDENTIALS would let any site act as its visitors"
            )
        return self


def _is_emulator(url: str) -> bool:
    """Return whether an AWS endpoint is on this machine, or on the machine that runs this container."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in _EMULATOR_HOSTS


class IngestionSettings(ReadingSettings):
    """What the ingestion function needs in addition."""

    ingestion_queue_url: str
    max_receives: int


class PublisherSettings(Settings):
    """What the publisher function needs in addition."""

    event_bus: str


_Settings = TypeVar("_Settings", bound=Settings)


@cache
def settings(kind: type[_Settings]) -> _Settings:
    """Read the settings from the environment, once, when they are first used.

    Raises:
        pydantic.ValidationError: a variable is missing or has a value that is not allowed.
    """
    return kind.model_validate(dict(os.environ))
