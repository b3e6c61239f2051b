"""The emulated AWS: one MiniStack process on the loopback, with everything it keeps in one folder."""

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

_PORTS = range(20000, 30000)  # below those that systems give to outgoing connections
_BOOT_SECONDS = 30
_SAVE_SECONDS = 20
# How its log tells that a part of the kept state could not be read. It then goes on without that part.
_UNREADABLE = ("Failed to restore persisted state", "Persistence: failed to load", "refusing to load")


@dataclass(frozen=True)
class Tls:
    """A certificate for the loopback with its key, and the authority that vouches for it; files of PEM."""

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
    """The session token without which it answers nobody; where it enforces IAM, credentials are its own matter."""

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return f"{'https' if self.tls else 'http'}://{LOOPBACK}:{self.port}"

    @property
    def authority(self) -> Path | None:
        """The file of the authority that vouches for the emulator; None where it speaks plain HTTP."""
        return self.tls.authority if self.tls else None

    @property
    def log(self) -> Path:
        """What the emulator and the functions in it printed."""
        return log_of(self.directory)

    def client(self, service: str) -> Any:  # noqa: ANN401 - callers name the client they asked for
        """Return a client of this emulator."""
        return client_at(self.url, service, self.authority, self.secret)

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of a process needs so that it works on this emulated AWS."""
        token = {"AWS_SESSION_TOKEN": self.secret} if self.secret else {}
        return {"AWS_ENDPOINT_URL": self.url, **processes.EMULATED_AWS_KEYS, **token}

    @contextmanager
    def kept_if_complete(self) -> Iterator[None]:
        """End the emulator at once, without saving anything, when the block fails."""
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
    """Return the session that all our clients share."""
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

    The state is saved when the block ends and is there again at the next start. With `enforce_iam` the
    functions may do only what their roles allow; with `tls` it speaks HTTPS alone. It answers under the
    names `hosts`, to no page of another origin, and only to callers who have its secret.
    """
    directory = directory.resolve()
    port = port or free_port(directory)
    temporary = directory / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)  # each worker of a function leaves a folder behind
    temporary.mkdir(parents=True)
    log_of(directory).unlink(missing_ok=True)
    # Functions inherit it with the rest of the environment. Those that have roles get credentials of their own.
    secret = "" if enforce_iam else secrets.token_hex(32)
    environment = processes.child_environment(
        {
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": REGION,
            "LAMBDA_EXECUTOR": "local",
            "AUTH": str(enforce_iam).lower(),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(directory / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(directory / "s3"),
            "TMPDIR": str(temporary),
            "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            **({"AWS_SESSION_TOKEN": secret} if secret else {}),
            **(_over(tls, port) if tls else {}),
        }
    )
    # -P: beside the guard are modules named like those of others, `packaging` and the like.
    command = [sys.executable, "-P", guard.__file__, *hosts]
    process = processes.spawn(command, environment, log_of(directory), directory, keep)
    cloud = Emulator(port, directory, process, tls, secret)
    try:
        with cloud.kept_if_complete():  # a graceful end would save an empty state over an unreadable one
            _await(cloud)
        yield cloud
    finally:
        processes.stop(process, _SAVE_SECONDS)


def _over(tls: Tls, port: int) -> dict[str, str]:
    """What makes the emulator speak HTTPS, and its functions believe it."""
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
            f"what {cloud.directory} keeps of an earlier run cannot be read: "
            "run `make clean-run` to start from nothing"
        )


def log_of(directory: Path) -> Path:
    """Where the emulator of `directory` logs to."""
    return directory / "logs" / "cloud.log"


def free_port(directory: Path) -> int:
    """Return a free port, the same one for the same directory while nobody else takes it."""
    first = crc32(str(directory).encode())
    for step in range(len(_PORTS)):
        port = _PORTS[(first + step) % len(_PORTS)]
        if processes.is_free(port):
            return port
    raise CommandError(f"no free port between {_PORTS.start} and {_PORTS.stop}")
