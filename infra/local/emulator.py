"""The emulated AWS: one MiniStack process on the loopback interface, with all its data in one folder."""

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import botocore.session
from botocore.config import Config

from infra.commands import processes
from infra.commands.command_error import CommandError
from infra.commands.isolated_session import isolated_session
from infra.commands.processes import LOOPBACK, REGION
from infra.local import guard
from infra.local.logs import rotate

_PORTS = range(20000, 30000)  # below the range that systems use for outgoing connections
_BOOT_SECONDS = 30
_SAVE_SECONDS = 20
# Log messages after which it continues without a part of its stored state, because it could not read that part.
_UNREADABLE = ("Failed to restore persisted state", "Persistence: failed to load", "refusing to load")


@dataclass(frozen=True)
class Tls:
    """A certificate for the loopback address, its key, and the authority that signed it; PEM files."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True)
class Emulator:
    """A running emulated AWS."""

    port: int
    directory: Path
    process: "subprocess.Popen[bytes]"
    tls: Tls | None = None
    secret: str = ""
    """The session token that every request needs; empty if the emulator enforces IAM and checks credentials."""

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return f"{'https' if self.tls else 'http'}://{LOOPBACK}:{self.port}"

    @property
    def authority(self) -> Path | None:
        """The file of the authority that signed the emulator's certificate; None if it uses plain HTTP."""
        return self.tls.authority if self.tls else None

    @property
    def log(self) -> Path:
        """The log file of the emulator and of the functions in it."""
        return log_of(self.directory)

    def client(self, service: str) -> Any:  # noqa: ANN401 - callers name the client they asked for
        """Return a client of this emulator."""
        return client_at(self.url, service, self.authority, self.secret)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which a process uses this emulated AWS."""
        token = {"AWS_SESSION_TOKEN": self.secret} if self.secret else {}
        return {"AWS_ENDPOINT_URL": self.url, **processes.EMULATED_AWS_KEYS, **token}

    def save(self) -> None:
        """Have it save its state soon, if something has changed: what a crash leaves is what was saved last."""
        self.process.send_signal(guard.SAVE)

    @contextmanager
    def saved_only_on_success(self) -> Iterator[None]:
        """Kill the emulator without saving its state if the block fails."""
        try:
            yield
        except BaseException:
            processes.kill(self.process)
            raise


def client_at(url: str, service: str, authority: Path | None = None, secret: str = "") -> Any:  # noqa: ANN401 - callers name the client they asked for
    """Return a client of the emulator at `url`, whatever AWS profile and proxies the developer has."""
    return aws_session().create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        verify=str(authority) if authority else None,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - opens nothing but the emulator
        aws_session_token=secret or None,
        config=Config(proxies={}, s3={"addressing_style": "path"}),
    )


@cache
def aws_session() -> botocore.session.Session:
    """Return the session that all these clients share."""
    return isolated_session()


@contextmanager
def emulator(
    directory: Path,
    port: int | None = None,
    *,
    enforce_iam: bool = False,
    tls: Tls | None = None,
    hosts: Sequence[str] = guard.LOOPBACK_HOSTS,
    keep: Sequence[int] = (),
) -> Iterator[Emulator]:
    """Run an emulated AWS whose state, logs and temporary files are in `directory`.

    The state is saved when the block ends, and on request before, and loaded at the next start. With `enforce_iam` the functions may do only
    what their roles allow; with `tls` it uses only HTTPS. It answers requests to the names `hosts` that come from no
    web page of another origin and carry its secret.
    """
    directory = directory.resolve()
    port = port or free_port(directory)
    _remove_leftovers(directory)
    # Functions inherit it with the rest of the environment. With IAM their roles give them their own credentials.
    secret = "" if enforce_iam else secrets.token_hex(32)
    environment = processes.child_environment(
        {
            **_settings(directory, port),
            "AUTH": str(enforce_iam).lower(),
            **({"AWS_SESSION_TOKEN": secret} if secret else {}),
            **(_tls_settings(tls, port) if tls else {}),
        }
    )
    # -P: modules in the guard's folder could otherwise hide packages of the same name.
    command = [sys.executable, "-P", guard.__file__, *hosts]
    process = processes.spawn(command, environment, log_of(directory), directory, keep)
    cloud = Emulator(port, directory, process, tls, secret)
    try:
        with (
            cloud.saved_only_on_success()
        ):  # stopping normally would overwrite an unreadable state by an empty one
            _await(cloud)
        yield cloud
    finally:
        processes.stop(process, _SAVE_SECONDS)


def _remove_leftovers(directory: Path) -> None:
    """Delete the temporary files of an earlier run: each worker of a function leaves a folder there; keep its log."""
    shutil.rmtree(directory / "tmp", ignore_errors=True)
    (directory / "tmp").mkdir(parents=True)
    rotate(log_of(directory))


def _settings(directory: Path, port: int) -> dict[str, str]:
    """Return MiniStack's settings: the port, the folders, and what is switched off."""
    return {
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": LOOPBACK,
        "MINISTACK_REGION": REGION,
        "LAMBDA_EXECUTOR": "local",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(directory / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(directory / "s3"),
        "TMPDIR": str(directory / "tmp"),
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }


def _tls_settings(tls: Tls, port: int) -> dict[str, str]:
    """Return the settings with which the emulator serves HTTPS, and its functions use and trust it."""
    return {
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(tls.certificate),
        "MINISTACK_SSL_KEY": str(tls.key),
        "AWS_ENDPOINT_URL": f"https://{LOOPBACK}:{port}",
        "AWS_CA_BUNDLE": str(tls.authority),
    }


def _await(cloud: Emulator) -> None:
    ready = f"{cloud.url}{guard.READY}"
    if not processes.wait_for(cloud.process, ready, _BOOT_SECONDS, authority=cloud.authority):
        raise CommandError(f"the emulated AWS does not start, see {cloud.log}")
    text = cloud.log.read_text(errors="replace")
    if any(sign in text for sign in _UNREADABLE):
        raise CommandError(
            f"the data of an earlier run in {cloud.directory} cannot be read: "
            "run `make clean-run` to start without data"
        )


def log_of(directory: Path) -> Path:
    """Return the log file of the emulator of `directory`."""
    return directory / "logs" / "cloud.log"


def free_port(directory: Path) -> int:
    """Return a free port; always the same one for a directory, as long as it is free."""
    first = crc32(str(directory).encode())
    for step in range(len(_PORTS)):
        port = _PORTS[(first + step) % len(_PORTS)]
        if processes.is_free(port):
            return port
    raise CommandError(f"no free port between {_PORTS.start} and {_PORTS.stop}")
