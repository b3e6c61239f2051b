"""The one place that reads the environment."""

import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from ipaddress import ip_address
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit


class SettingsError(ValueError):
    """A variable is missing or has a value that is not allowed, or two contradict each other."""


class AuthMode(StrEnum):
    """Whether callers need credentials; open is for local runs only."""

    REQUIRED = "required"
    OPEN = "open"


class Registration(StrEnum):
    """Who may create users: anyone, or only admins."""

    OPEN = "open"
    CLOSED = "closed"


Names = tuple[str, ...]
"""Names separated by commas."""

_OPEN_STAGES = ("local", "test")
_EMULATOR_HOSTS = ("localhost", "host.docker.internal")


class Settings:
    """What template.yaml passes to every function; each field is the variable of the same name in upper case.

    A plain class: with pydantic, a third of the cold start of the functions that need it for nothing else was its import,
    and making dataclasses of these was a twentieth of what was left.
    """

    stage: str
    contracts_table: str
    enable_event_audit: bool = True
    aws_endpoint_url: str = ""
    aws_lambda_function_name: str = ""
    aws_lambda_initialization_type: str = ""

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Read the fields from environment variables; all others are ignored.

        Raises:
            SettingsError: a variable is missing or has a value that is not allowed, or two contradict each other.
        """
        for kind in type(self).__mro__[:-1]:
            for name, type_of_field in kind.__annotations__.items():
                self.__dict__[name] = _read(name, type_of_field, getattr(kind, name, None), variables)
        self._check()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} is what the environment says")

    def _check(self) -> None:
        """Raise SettingsError if two settings contradict each other."""

    @property
    def starts_from_snapshot(self) -> bool:
        """Whether this process is being prepared for a snapshot (SnapStart)."""
        return self.aws_lambda_initialization_type == "snap-start"


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
    event_log_days: int = 30


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
    signing_secret: str
    idempotency_table: str
    users_table: str
    throttles_table: str
    registration: Registration = Registration.CLOSED
    allowed_origins: Names = ()
    allow_credentials: bool = False
    allowed_hosts: Names = ()

    def _check(self) -> None:
        if self.auth_mode is AuthMode.OPEN:
            if self.stage not in _OPEN_STAGES:
                raise SettingsError("AUTH_MODE=open is for local runs only")
            # Anyone can choose the name of a stage, but a deployed function never has the address of an emulator.
            is_test = self.stage == "test" and not self.aws_lambda_function_name
            if not (is_test or _is_emulator(self.aws_endpoint_url)):
                raise SettingsError("AUTH_MODE=open needs the address of an emulated AWS in AWS_ENDPOINT_URL")
        if "*" in self.allowed_origins and self.allow_credentials:
            raise SettingsError(
                "ALLOWED_ORIGINS=* with ALLOW_CREDENTIALS would let any site act as its visitors"
            )


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


def _flag(text: str) -> bool:
    flags = {"true": True, "1": True, "false": False, "0": False}
    return flags[text.lower()]


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError
    return int(text)


def _names(text: str) -> Names:
    return tuple(filter(None, map(str.strip, text.split(","))))


_READERS: dict[Any, Callable[[str], Any]] = {bool: _flag, int: _count, Names: _names}
_Settings = TypeVar("_Settings", bound=Settings)


def _read(name: str, kind: Any, default: object, variables: Mapping[str, str]) -> object:  # noqa: ANN401 - any type of a field
    """Read a field; the types of text, and of names that are chosen, make a value of a text themselves."""
    variable = name.upper()
    text = variables.get(variable)
    if default is None and not text:
        raise SettingsError(f"{variable} is missing or empty")
    if text is None:
        return default
    try:
        return _READERS.get(kind, kind)(text)
    except (LookupError, ValueError) as error:
        raise SettingsError(f"{variable} has a value that is not allowed: {text!r}") from error


@cache
def settings(kind: type[_Settings]) -> _Settings:
    """Read the settings from the environment, once, when they are first used.

    Raises:
        SettingsError: a variable is missing or has a value that is not allowed.
    """
    return kind(os.environ)
