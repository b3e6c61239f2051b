"""The one place that reads the environment."""

import os
from enum import StrEnum
from functools import cache

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
    auth_mode: AuthMode = AuthMode.REQUIRED
    contracts_table: str
    readings_table: str
    export_jobs_table: str
    export_bucket: str
    export_queue_url: str
    signing_secret: str


@cache
def settings() -> Settings:
    """Read the environment, once, when first asked.

    Raises:
        pydantic.ValidationError: a variable is missing or has a value it must not have.
    """
    return Settings.model_validate(dict(os.environ))
