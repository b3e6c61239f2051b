"""The folder that one local run owns: its lock, its data, its logs, and what it tells other programs.

Only the standard library is imported here: `make clean-run` runs this file before anything is installed.
"""

import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from infra.commands.command_error import CommandError

# Everything a run puts into the folder. `clean` removes these and nothing else, wherever RUN_DIR points.
_ENTRIES = (
    "state",
    "s3",
    "layers",
    "logs",
    "tmp",
    "outputs.json",
    "outputs.json.new",
    "sam-local.json",
    "aws.env",
    "cloud-port",
    "lock",
)
_FORMER_RUN_SECONDS = 25
_OTHERS = 0o077  # the bits of a mode that say what other people on the machine may do


class RunDirectory:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.layers = self.path / "layers"
        self.logs = self.path / "logs"
        self._lock = self.path / "lock"
        self._outputs = self.path / "outputs.json"
        self._sam_local = self.path / "sam-local.json"
        self._aws_env = self.path / "aws.env"
        self._cloud_port = self.path / "cloud-port"

    @contextmanager
    def locked(
        self, patience: float = _FORMER_RUN_SECONDS, say: Callable[[str], None] = print
    ) -> Iterator[int]:
        """Hold the folder for one run; yields the lock's file, which the run's processes hold as well.

        So the folder stays locked until the last of them is gone, even when the run itself was killed;
        that is told to `say` and waited for, up to `patience` seconds. CommandError names a run that
        is alive.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._close_to_others()
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CommandError(f"RUN_DIR={self.path} cannot be used: {error.strerror}") from error
        try:
            self._acquire(lock, time.monotonic() + patience, say)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            for left_by_a_killed_run in (self._outputs, self._aws_env):
                left_by_a_killed_run.unlink(missing_ok=True)
            try:
                yield lock
            finally:
                self._sam_local.unlink(missing_ok=True)
        finally:
            os.close(lock)

    def _close_to_others(self) -> None:
        """Take from everybody else what former runs left open; not a folder in which there are other things."""
        if self._lock.exists() or not any(self.path.iterdir()):
            self.path.chmod(0o700)
        for entry in (self.path / name for name in _ENTRIES):
            if entry.exists() and not entry.is_symlink():
                entry.chmod(entry.stat().st_mode & ~_OTHERS)

    def _acquire(self, lock: int, deadline: float, say: Callable[[str], None]) -> None:
        for attempt in count():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(lock, 20, 0).decode()
                if (_is_alive(owner) and self._outputs.exists()) or time.monotonic() > deadline:
                    raise CommandError(
                        f"RUN_DIR={self.path} is in use by another run (process {owner}): "
                        "stop it, or choose another folder with RUN_DIR="
                    ) from None
            else:
                return
            if attempt == 0:
                say("waiting for a former run to end")
            time.sleep(0.1)

    def cloud_port(self) -> int | None:
        """Return the port of the emulated AWS that this folder's first run chose."""
        try:
            return int(self._cloud_port.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def keep_cloud_port(self, port: int) -> None:
        """Let later runs use the same port, so that URLs stay valid."""
        self._cloud_port.write_text(str(port))

    @contextmanager
    def announced(
        self, outputs: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> Iterator[None]:
        """Show `outputs` in outputs.json while the block runs: its presence says that the run is ready.

        aws.env gives a shell the `variables` with which programs reach the run's emulated AWS.
        """
        _write(
            self._aws_env, "".join(f"export {name}={value}\n" for name, value in (variables or {}).items())
        )
        fresh = self._outputs.with_name("outputs.json.new")
        _write(fresh, json.dumps(outputs, indent=2) + "\n")
        fresh.replace(self._outputs)
        try:
            yield
        finally:
            self._outputs.unlink(missing_ok=True)
            self._aws_env.unlink(missing_ok=True)

    def write_container_environment(self, variables: Mapping[str, Mapping[str, str]]) -> None:
        """Keep `variables` of functions, while the run is up, where `sam local` takes them from."""
        _write(self._sam_local, json.dumps(variables, indent=2) + "\n")

    def outputs(self) -> dict[str, str]:
        """Return what the run that is up has announced; CommandError when there is none."""
        try:
            outputs: dict[str, str] = json.loads(self._outputs.read_text())
        except OSError:
            raise CommandError(
                f"no run is up in RUN_DIR={self.path}: start one with `make run`, or name its folder with RUN_DIR="
            ) from None
        return outputs

    def clean(self) -> None:
        """Remove what runs have left in the folder, and the folder when nothing else is in it."""
        if not self._lock.exists():
            return
        with self.locked(patience=0):
            for name in _ENTRIES:
                entry = self.path / name
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()


def _write(path: Path, text: str) -> None:
    """Write a file that nobody else may read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def main() -> int:
    """Remove what runs have left in RUN_DIR."""
    directory = RunDirectory(Path(os.environ.get("RUN_DIR") or ".run"))
    try:
        directory.clean()
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
