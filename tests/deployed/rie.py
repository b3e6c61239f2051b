"""Lambda's own runtime on this machine: AWS's runtime interface emulator, from the package of the SAM CLI.

It starts a function as Lambda does, in one environment that handles one call at a time, and applies Lambda's limits
of time and size.
"""

import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib import metadata
from pathlib import Path
from typing import Any

from infra.build.packaging import ROOT
from infra.commands import processes
from infra.commands.processes import LOOPBACK
from tests.engines import free_port

HERE = f"3.{sys.version_info.minor}"
ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"

_CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
_INVOKE = "/2015-03-31/functions/function/invocations"
_START_SECONDS = 30
_STOP_SECONDS = 5


class RuntimeMissingError(Exception):
    """The runtime emulator is not installed; `make .venv-sam/synced` installs it."""


@dataclass(frozen=True)
class Function:
    """A function with the folders of its code and its layer, and its configuration."""

    code: Path
    layer: Path
    handler: str
    timeout: int
    memory: int
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Environment:
    """A running function, which handles one call at a time."""

    port: int
    log: Path
    timeout: int

    def invoke_raw(self, payload: bytes) -> bytes:
        """Invoke the function and return its answer, or that of the runtime, as bytes."""
        connection = HTTPConnection(LOOPBACK, self.port, timeout=self.timeout)
        try:
            connection.request("POST", _INVOKE, payload)
            return connection.getresponse().read()
        finally:
            connection.close()

    def invoke(self, event: object) -> Any:
        """Invoke the function with `event` and return its answer."""
        return json.loads(self.invoke_raw(json.dumps(event).encode()))


def runtime_client(folder: Path) -> Path:
    """Link only Lambda's runtime client into `folder`, and no other package of this virtual environment."""
    folder.mkdir()
    for name in _CLIENT:
        for top in {file.parts[0] for file in metadata.files(name) or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(str(metadata.distribution(name).locate_file(top)))
    return folder


@contextmanager
def running(function: Function, client: Path, log: Path) -> Iterator[Environment]:
    """Run `function` on a free port of the loopback until the block ends.

    Raises:
        RuntimeMissingError: the runtime emulator is not installed.
    """
    programs = (ROOT / ".venv-sam" / "lib").glob(f"python*/site-packages/samcli/local/rapid/*-{ARCHITECTURE}")
    program = next(programs, None)
    if program is None:
        raise RuntimeMissingError(f"no runtime emulator for {ARCHITECTURE} below .venv-sam")
    port = free_port()
    command = [str(program), "--runtime-interface-emulator-address", f"{LOOPBACK}:{port}"]
    command += ["--runtime-api-address", f"{LOOPBACK}:{free_port()}"]
    # Without `site`, Python finds only its own library, the function, its layer, and the runtime client.
    command += [sys.executable, "-sS", "-m", "awslambdaric", function.handler]
    environment = processes.child_environment(
        {
            **function.environment,
            "_HANDLER": function.handler,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_NAME": function.code.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "LAMBDA_TASK_ROOT": str(function.code),
            "PYTHONDONTWRITEBYTECODE": "1",  # the folder is read-only on Lambda
            "PYTHONPATH": os.pathsep.join(map(str, (function.layer / "python", client))),
        }
    )
    process = processes.spawn(command, environment, log, function.code)
    try:
        _await(port, log)
        yield Environment(port, log, function.timeout + _START_SECONDS)
    finally:
        children = _children(process.pid)
        processes.stop(process, _STOP_SECONDS)
        for child in children:  # the function runs in its own process group
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, 9)


def _await(port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while processes.is_free(port):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []
