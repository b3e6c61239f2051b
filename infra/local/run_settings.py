"""The settings of `make run`, from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.commands.command_error import CommandError
from infra.local import containers, guard
from infra.local.run_directory import RunDirectory
from infra.operate.command import snake_case
from infra.operate.create_admin import Admin

# The template's parameters of a local run; the environment may set others (as AUTH_MODE, LOG_LEVEL, …).
_PARAMETERS = {
    "AuthMode": "open",
    "EnableEventAudit": "true",
    "EventLogDays": "30",
    "LogLevel": "INFO",
    "Registration": "open",
}


@dataclass(frozen=True)
class RunSettings:
    """The settings of a local run, from the environment."""

    directory: RunDirectory
    port: int
    cloud_port: int | None
    chosen: Mapping[str, str]
    """The template's parameters that a person can choose."""
    admin: Admin | None = None
    bind_host: str = ""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names to which a run answers: of this machine, and its name in containers."""
        return (*guard.LOOPBACK_HOSTS, containers.HOST, *([self.bind_host] if self.bind_host else ()))

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the template."""
        return {"Stage": "local", "AllowedHosts": ",".join(self.hosts), **self.chosen}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], root: Path) -> "RunSettings":
        """Read the ports, BIND_HOST, RUN_DIR, the first admin, and the template's parameters."""
        chosen = {
            name: environment.get(snake_case(name).upper()) or default
            for name, default in _PARAMETERS.items()
        }
        return cls(
            directory=RunDirectory(Path(environment.get("RUN_DIR") or root / ".run")),
            port=_port(environment, "PORT") or 8000,
            cloud_port=_port(environment, "GATEWAY_PORT"),
            chosen=chosen,
            admin=Admin.from_environment(environment),
            bind_host=_bind_host(environment),
        )


def _bind_host(environment: Mapping[str, str]) -> str:
    host = environment.get("BIND_HOST", "")
    if host in ("0.0.0.0", "::"):  # noqa: S104 - refused here
        raise CommandError(
            f"BIND_HOST={host} stands for all addresses: name the one at which containers reach this machine; "
            "on Linux `ip -4 address show docker0` shows it while Docker runs"
        )
    if host in guard.LOOPBACK_HOSTS:
        raise CommandError(f"BIND_HOST={host} is where the emulated AWS listens anyway: leave it out")
    return host


def _port(environment: Mapping[str, str], variable: str) -> int | None:
    text = environment.get(variable) or ""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**16):
        raise CommandError(f"{variable}={text} is not a port")
    return int(text)
