"""JSON shapes of answers that belong to no single capability."""

from typing import Literal

from pydantic import BaseModel


class Message(BaseModel):
    """A sentence that confirms what was done."""

    message: str


class ServiceInfo(BaseModel):
    """The service's name and version."""

    service: str
    version: str
    stage: str


class Health(BaseModel):
    """Whether the service answers."""

    status: Literal["healthy"] = "healthy"


class Readiness(BaseModel):
    """Whether the tables answer."""

    status: Literal["ready"] = "ready"
