"""The folder of one local run (RUN_DIR): its lock, its data, its logs, and its outputs for other programs.

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
_PREVIOUS_RUN_SECONDS = 25
_OTHER_USERS = 0o077  # the permission bits of the group and of other users


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
        self, timeout: float = _PREVIOUS_RUN_SECONDS, say: Callable[[str], None] = print
    ) -> Iterator[int]:
        """Lock the folder for one run; yields the lock's file, which the run's processes inherit.

        So the folder stays locked until the last of them has ended, even if the run itself was killed; then this
        waits up to `timeout` seconds and says so. CommandError if another run is using the folder.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_private()
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CommandError(f"RUN_DIR={self.path} cannot be used: {error.strerror}") from error
        try:
            self._acquire(lock, time.monotonic() + timeout, say)
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

    def _make_private(self) -> None:
        """Remove other users' permissions on the folder and its entries; a folder with other content stays as it is."""
        if self._lock.exists() or not any(self.path.iterdir()):
            self.path.chmod(0o700)
        for entry in (self.path / name for name in _ENTRIES):
            if entry.exists() and not entry.is_symlink():
                entry.chmod(entry.stat().st_mode & ~_OTHER_USERS)

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
                say("waiting for a previous run to end")
            time.sleep(0.1)

    def cloud_port(self) -> int | None:
        """Return the port of the emulated AWS that the first run in this folder chose."""
        try:
            return int(self._cloud_port.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def keep_cloud_port(self, port: int) -> None:
        """Store the port for later runs, so that URLs stay valid."""
        self._cloud_port.write_text(str(port))

    @contextmanager
    def announced(
        self, outputs: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> Iterator[None]:
        """Write `outputs` to outputs.json during the block: the file exists only while the run is ready.

        aws.env exports the `variables` with which programs reach the run's emulated AWS.
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
        """Write the `variables` of functions to the file that `sam local` reads; it exists while the run is up."""
        _write(self._sam_local, json.dumps(variables, indent=2) + "\n")

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the run that uses this folder; CommandError if there is none."""
        try:
            outputs: dict[str, str] = json.loads(self._outputs.read_text())
        except OSError:
            raise CommandError(
                f"no run is up in RUN_DIR={self.path}: start one with `make run`, or name its folder with RUN_DIR="
            ) from None
        return outputs

    def clean(self) -> None:
        """Delete what runs have left in the folder, and the folder itself if it is then empty."""
        if not self._lock.exists():
            return
        with self.locked(timeout=0):
            for name in _ENTRIES:
                entry = self.path / name
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first byte on."""
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
    """Delete what runs have left in RUN_DIR."""
    directory = RunDirectory(Path(os.environ.get("RUN_DIR") or ".run"))
    try:
        directory.clean()
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
