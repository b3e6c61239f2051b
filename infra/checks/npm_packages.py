"""Fetches the npm packages that tests use, and checks each against the hash in npm-packages.txt.

Only the archive of the package is fetched: none of its dependencies, and none of its scripts runs.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from infra.build.packaging import ROOT
from infra.commands.command_error import CommandError

_RECORDED = "npm-packages.txt"
_TOOLS = ROOT / ".tools"
_NPM_OF_WHEEL = ROOT / ".venv-node" / "bin"


class NpmPackage(NamedTuple):
    """A package of npm; `integrity` is `sha512-` and the base64 of its archive's hash."""

    name: str
    version: str
    integrity: str

    @property
    def folder_name(self) -> str:
        """The name of its folder in .tools."""
        return f"{self.name}-{self.version}"


@cache
def packages() -> dict[str, NpmPackage]:
    """Return the packages of npm-packages.txt by their names."""
    lines = (ROOT / _RECORDED).read_text(encoding="utf-8").splitlines()
    recorded = [NpmPackage(*line.split()) for line in lines if line and not line.startswith("#")]
    return {package.name: package for package in recorded}


def folder_of(name: str) -> Path:
    """Return the folder of a package, whether it has been fetched or not; CommandError if it is not recorded."""
    if name not in packages():
        raise CommandError(f"{name} is not in {_RECORDED}")
    return _TOOLS / packages()[name].folder_name


def fetch(package: NpmPackage, tools: Path, npm: Path) -> Path:
    """Put the content of a package into a folder of `tools`, and return that folder.

    Raises:
        CommandError: npm failed, or the archive does not have the recorded hash; nothing is left of it.
    """
    tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools, prefix="fetching-") as scratch:
        archive = _pack(package, npm, Path(scratch, "packed"))
        actual = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if actual != package.integrity:
            raise CommandError(
                f"{package.name}@{package.version} as npm gives it is not the recorded one: its hash is {actual}"
            )
        unpacked = Path(scratch, "unpacked")
        with tarfile.open(archive) as tar:
            # Pythons before 3.11.4 have no filters; without one, 3.12 and 3.13 warn.
            filtered = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            tar.extractall(unpacked, **filtered)  # type: ignore[arg-type]  # noqa: S202 - its hash is the recorded one
        (content,) = unpacked.iterdir()
        folder = tools / package.folder_name
        shutil.rmtree(folder, ignore_errors=True)
        return content.rename(folder)


def _pack(package: NpmPackage, npm: Path, destination: Path) -> Path:
    """Let npm write the archive of a package into `destination`, and return its path."""
    destination.mkdir()
    command = [str(npm), "pack", f"{package.name}@{package.version}", "--ignore-scripts", "--loglevel=error"]
    finished = subprocess.run(  # noqa: S603 - our own
        [*command, "--pack-destination", str(destination)], stdout=subprocess.DEVNULL, check=False
    )
    if finished.returncode:
        raise CommandError(f"{package.name}@{package.version} could not be fetched with {npm}")
    (archive,) = destination.iterdir()
    return archive


def main(folder_name: str) -> int:
    """Fetch the package whose folder in .tools is `folder_name`, and return the exit code."""
    try:
        fetch(_recorded(folder_name), _TOOLS, _npm())
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _recorded(folder_name: str) -> NpmPackage:
    for package in packages().values():
        if package.folder_name == folder_name:
            return package
    raise CommandError(f"{folder_name} is not in {_RECORDED}")


def _npm() -> Path:
    """Return the npm of this machine, else that of the wheel."""
    npm = shutil.which("npm") or shutil.which("npm", path=str(_NPM_OF_WHEEL))
    if npm is None:
        raise CommandError("npm was not found")
    return Path(npm)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
