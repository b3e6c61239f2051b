"""Child processes of commands: their environment, how they are stopped, and the ports they listen on."""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from infra.commands.command_error import CommandError

LOOPBACK = "127.0.0.1"
REGION = "eu-central-1"

# A child inherits only these variables of the developer's environment: no AWS profile, no proxy, no log level.
_INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "SYSTEMROOT", "TMPDIR", "TZ")

EMULATED_AWS_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""Keys that open nothing real. What the emulated AWS of a run asks for is the session token of that run."""

_EMULATED_AWS = {
    **EMULATED_AWS_KEYS,
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}

_DEFERRED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def child_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return a child's environment: a few of our variables, credentials that work on no real AWS, and `more`."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **_EMULATED_AWS, "PYTHONUNBUFFERED": "1", **more}


def spawn(
    command: Sequence[str], environment: Mapping[str, str], log: Path, cwd: Path, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start `command` with its output in `log`, in a session of its own, so that Ctrl-C reaches only this process.

    `keep` are open files that the child inherits, together with the locks on them.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    process = None
    try:
        with log.open("ab") as output, _signals_deferred():
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=keep,
                preexec_fn=_prepare_child,  # noqa: PLW1509 - two system calls, which take no lock
            )
    except BaseException:
        if process is not None:
            kill(process)
        raise
    return process


@contextlib.contextmanager
def _signals_deferred() -> Iterator[None]:
    """Block signals while a process is created: Python would lose an exception that a handler raises then."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _DEFERRED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_child() -> None:
    """Unblock signals in the child, and let it end with its parent."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _DEFERRED_SIGNALS)
    end_with_parent()


def run_to_end(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run `command` to its end, unreachable for Ctrl-C; by default with the environment of this process.

    Raises:
        CommandError: the command failed; the message contains the last line of its output.
    """
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - one system call, which takes no lock
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        kill(process)
        raise
    if process.returncode:
        raise CommandError(f"{Path(command[0]).name} {' '.join(command[1:4])}: {last_line(output.decode())}")


def last_line(text: str) -> str:
    """Return the last line of `text` that is not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def end_with_parent() -> None:
    """Make the kernel end this process when its parent has ended, also by a crash (Linux only)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Terminate `process`, kill it after `timeout` seconds, and kill what is left of its process group."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
    kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill `process` and its process group at once."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a dead group
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def describe_exit(process: subprocess.Popen[bytes]) -> str:
    """Return how a process ended: `SIGKILL`, or `exit code 3`."""
    code = process.returncode
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def is_free(port: int) -> bool:
    """Return whether a process could listen on `port` of the loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(port: int, variable: str) -> None:
    """Raise CommandError if `port` is in use; another one can be chosen with `variable`."""
    if not is_free(port):
        raise CommandError(
            f"port {port} is taken by another process: stop it, or choose another port with {variable}="
        )


def answers(url: str, timeout: float = 2, *, authority: Path | None = None) -> bool:
    """Return whether GET `url` is answered with 200; for https the certificate must be issued by `authority`."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=authority)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_for(
    process: subprocess.Popen[bytes], url: str, timeout: float, *, authority: Path | None = None
) -> bool:
    """Wait until `url` answers; return False if `process` ends or `timeout` seconds pass before that."""
    deadline = time.monotonic() + timeout
    while not answers(url, authority=authority):
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
