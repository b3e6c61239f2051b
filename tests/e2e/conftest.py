"""A local run, started and stopped as a person does it."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from domain.contracts.contract import Contract
from functions.api.contracts.schemas import TimelineView
from infra.build.packaging import ROOT, zip_layer
from infra.commands import processes
from infra.local.deploy import deploy
from infra.local.emulator import Emulator, emulator

START_SECONDS = 90


def built_layers() -> Path:
    """Return the folder that has the layer for this interpreter; it is built once for all tests."""
    folder = ROOT / ".tools" / f"layers-{sys.implementation.cache_tag}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        zip_layer(folder)
    return folder


class LocalRun:
    """A local run on ports of its own, with its data in `directory`, and with `variables` in its environment.

    It has the layer that the tests share, or builds its own if `builds_layer`.
    """

    def __init__(
        self, directory: Path, variables: Mapping[str, str] | None = None, *, builds_layer: bool = False
    ) -> None:
        self.directory = directory
        self.variables = dict(variables or {})
        if not builds_layer:
            directory.mkdir(mode=0o700, parents=True)
            (directory / "layers").symlink_to(built_layers())
        self.port = _free_port()
        self.process: subprocess.Popen[str] | None = None

    def launch(self, **settings: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PORT": str(self.port), "RUN_DIR": str(self.directory)}
        for name in ("GATEWAY_PORT", "BIND_HOST", "AUTH_MODE", "ENABLE_EVENT_AUDIT", "LOG_LEVEL"):
            environment.pop(name, None)
        environment |= self.variables | settings
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self.process

    def start(self, **settings: str) -> dict[str, str]:
        process, outputs = self.launch(**settings), self.directory / "outputs.json"
        deadline = time.monotonic() + START_SECONDS
        while not outputs.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)
        read: dict[str, str] = json.loads(outputs.read_text())
        return read

    def drain_output(self) -> None:
        """Keep reading the output of the run: it would block once the pipe is full."""
        assert self.process is not None
        assert self.process.stdout is not None
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        assert self.process is not None
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

    def children(self) -> dict[int, str]:
        """Process ids and command lines of what the run has started."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = {}
        for child in listed:
            with contextlib.suppress(OSError):  # it ended just now
                found[int(child)] = Path(f"/proc/{child}/cmdline").read_text()
        return found

    def left(self) -> list[str]:
        """Return the processes that have to do with the run's folder or port."""
        signs = (str(self.directory), f"--port {self.port} ")
        return [process for process in _processes() if any(sign in process for sign in signs)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _processes() -> Iterator[str]:
    """Yield the command line and the environment of each process but this one."""
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it ended just now
            command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
            yield (command + environment).replace(b"\0", b" ").decode(errors="replace")


def shown(contract: Contract) -> Any:
    """Return the dates of a contract as the API and the bus show them."""
    return TimelineView.of(contract).model_dump(mode="json")["components"]


class Deployed(NamedTuple):
    """The template as it is, deployed to an emulated AWS."""

    cloud: Emulator
    outputs: dict[str, str]


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Deploy the template once for all tests; each uses contracts, meters and queues of its own."""
    folder = tmp_path_factory.mktemp("deployed")
    with emulator(folder, enforce_iam=True) as cloud:
        yield Deployed(cloud, deploy(cloud, built_layers(), {"Stage": "local", "AuthMode": "open"}))
        processes.kill(cloud.process)  # there is nothing to keep


@contextlib.contextmanager
def _ended(run: LocalRun) -> Iterator[LocalRun]:
    yield run
    if run.process is not None and run.process.poll() is None:
        run.process.terminate()
        run.process.communicate(timeout=30)


@pytest.fixture
def local_run(tmp_path: Path) -> Iterator[LocalRun]:
    with _ended(LocalRun(tmp_path / "run")) as run:
        yield run


@pytest.fixture
def first_run(tmp_path: Path) -> Iterator[LocalRun]:
    """A run in a folder that does not exist yet, as a developer's first one."""
    with _ended(LocalRun(tmp_path / "run", builds_layer=True)) as run:
        yield run
