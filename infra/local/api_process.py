"""The process that serves the API on PORT: uvicorn with the application, restarted when it ends."""

import ast
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.build.packaging import PACKAGES
from infra.commands import processes
from infra.commands.processes import LOOPBACK
from infra.local.logs import rotate

_APPLICATION = "infra.local.guard:api"
_START_SECONDS = 20
_STOP_SECONDS = 6
_STABLE_SECONDS = 10  # an API that ran this long did not fail at its start; the next pause is short again
_MAX_PAUSE = 30


@dataclass
class ApiProcess:
    """The API on `port`; `say` prints a line for the person at the terminal."""

    port: int
    root: Path
    log: Path
    lock: int
    say: Callable[[str], None]
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = None
    _started: float = 0
    _next_pause: float = 0
    _restart_at: float | None = None
    _shown: int = 0

    @property
    def url(self) -> str:
        """Where the API listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def __post_init__(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        rotate(self.log)
        self.log.touch()

    def start(self) -> str | None:
        """Start the API and wait until it answers; return None, or in one line why it does not answer."""
        if problem := first_syntax_error(self.root):
            return problem  # the present process keeps running
        self.stop()
        options = ["--host", LOOPBACK, "--port", str(self.port), "--timeout-graceful-shutdown", "3"]
        options += ["--no-proxy-headers"]  # there is no proxy, so only callers could set them
        command = [sys.executable, "-m", "uvicorn", "--factory", _APPLICATION, *options]
        environment = processes.child_environment(self.environment)
        self._started = time.monotonic()
        self._process = processes.spawn(command, environment, self.log, self.root, keep=[self.lock])
        if processes.wait_for(self._process, f"{self.url}/health", _START_SECONDS):
            self.new_output()  # skips what uvicorn prints about its start
            return None
        self.stop()
        self.new_output()  # skips it too; the last line of the log is the reason
        reason = processes.last_line(self.log.read_text(errors="replace"))
        return f"the API does not start: {reason} (see {self.log})"

    def new_output(self) -> str:
        """Return the API's output since the last call."""
        with self.log.open("rb") as log:
            log.seek(self._shown)
            output = log.read()
        self._shown += len(output)
        return output.decode(errors="replace")

    def stop(self) -> None:
        """Stop the API, and cancel a planned restart."""
        self._restart_at = None
        if self._process is not None:
            processes.stop(self._process, _STOP_SECONDS)
            self._process = None

    def restart_if_ended(self) -> None:
        """Start the API again if its process has ended; if that repeats, after longer and longer pauses."""
        now = time.monotonic()
        if self._restart_at is None and self._process is not None and self._process.poll() is not None:
            pause = 0 if now - self._started > _STABLE_SECONDS else self._next_pause
            self._next_pause = min(2 * pause + 1, _MAX_PAUSE)
            ending = processes.describe_exit(self._process)
            when = f"in {pause:.0f} s" if pause else "now"
            self.say(f"the API process ended unexpectedly ({ending}): starting it again {when}")
            self._restart_at = now + pause
        if self._restart_at is not None and now >= self._restart_at:
            if problem := self.start():
                # Its process may have been killed during the start; an error in the code needs a change.
                self._restart_at = time.monotonic() + self._next_pause
                self.say(f"{problem}; trying again in {self._next_pause:.0f} s")
                self._next_pause = min(2 * self._next_pause + 1, _MAX_PAUSE)
            else:
                self.say("the API is up again")


def first_syntax_error(root: Path) -> str | None:
    """Return the location of the first syntax error in the deployed packages, or None."""
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            try:
                ast.parse(file.read_bytes(), file.name)
            except FileNotFoundError:
                continue
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 1
                return f"{file.relative_to(root)}:{line}: {getattr(error, 'msg', None) or error}"
    return None
