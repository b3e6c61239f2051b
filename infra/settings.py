"""The one place that reads the environment."""

import os
from enum import StrEnum
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ConfigDict


class AuthMode(StrEnum):
    """Who is let in: callers with credentials, or (on a laptop only) everybody."""

    REQUIRED = "required"
    OPEN = "open"


class Settings(BaseModel):
    """What template.yaml passes to every function; a field is the variable in lower case.

    A plain pydantic model: pydantic-settings costs a cold start about as much as FastAPI itself
    and would read nothing but these variables.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper)

    stage: str
    contracts_table: str
    enable_event_audit: bool = True


class ApiSettings(Settings):
    """What the HTTP API is told besides."""

    auth_mode: AuthMode = AuthMode.REQUIRED
    signing_secret: str
    idempotency_table: str
    readings_table: str
    export_jobs_table: str
    export_bucket: str
    export_queue_url: str


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
