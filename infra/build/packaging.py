"""Builds what is deployed: the code of the functions, and the layer of their dependencies.

This file imports the standard library only: `sam build` runs it with any Python that it finds.
The same commit gives the same files, with the same bytes, modes and time stamps. For bytecode this holds as long as
the same release of the interpreter compiles it.
"""

import argparse
import hashlib
import io
import os
import platform
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.build import bytecode, trimming
from infra.commands.command_error import CommandError
from infra.commands.processes import run_to_end

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = ("domain", "infra", "functions")
_NOT_DEPLOYED = ("infra/build", "infra/checks", "infra/commands", "infra/local", "infra/operate")
# The same time stamp for all, so that equal content gives an equal archive; zip files allow no earlier one.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_EPOCH = 315532800

# The folders into which Lambda puts a function and its layers.
FUNCTION_FOLDER = "/var/task"
LAYER_FOLDER = "/opt"

# Two platforms each: some packages have wheels for the first only, some for the second only.
_WHEELS = {
    "x86_64": ("manylinux2014_x86_64", "manylinux_2_28_x86_64"),
    "arm64": ("manylinux2014_aarch64", "manylinux_2_28_aarch64"),
}
_OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Target:
    """What the artifacts are built for."""

    python: str = "3.13"
    architecture: str = "x86_64"
    compiler: str | None = None
    """The interpreter that compiles the bytecode."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Target":
        """Read LAMBDA_VERSION, ARCHITECTURE and LAMBDA_PYTHON.

        Raises:
            CommandError: one of them is not valid.
        """
        version = environment.get("LAMBDA_VERSION") or cls.python
        architecture = environment.get("ARCHITECTURE") or cls.architecture
        if architecture not in _WHEELS:
            raise CommandError(f"ARCHITECTURE={architecture} is not one of {', '.join(_WHEELS)}")
        if not re.fullmatch(r"3\.\d{1,2}", version) or (3, int(version[2:])) < _OLDEST_PYTHON:
            raise CommandError(
                f"LAMBDA_VERSION={version} is not a version of Python from 3.11 on, such as {cls.python}"
            )
        compiler = bytecode.interpreter(version, environment.get("LAMBDA_PYTHON", ""))
        return cls(version, architecture, compiler)

    @property
    def wheels(self) -> list[str]:
        """The options that make pip choose wheels for Lambda instead of for this machine."""
        platforms = [f"--platform={name}" for name in _WHEELS[self.architecture]]
        return [*platforms, "--implementation=cp", f"--python-version={self.python}", "--only-binary=:all:"]


def code_files(root: Path = ROOT) -> Iterator[Path]:
    """Yield the files of a function, as sorted paths relative to `root`."""
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*")):
            relative = file.relative_to(root)
            if file.is_file() and is_deployed(relative):
                yield relative


def is_deployed(relative: Path) -> bool:
    """Return whether the file at `relative` below the root is part of a function."""
    generated = any(part == "__pycache__" or part.startswith(".") for part in relative.parts)
    return not generated and not any(relative.is_relative_to(folder) for folder in _NOT_DEPLOYED)


def copy_code(destination: Path, root: Path = ROOT) -> None:
    """Copy the code of the functions below `destination`."""
    for relative in code_files(root):
        target = destination / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / relative, target)


def zip_code(root: Path = ROOT) -> bytes:
    """Archive the code of the functions."""
    return _archive((relative, root / relative) for relative in code_files(root))


def build_function(destination: Path, target: Target, root: Path = ROOT) -> None:
    """Put the code of the functions and its bytecode into the folder `destination`."""
    copy_code(destination, root)
    _compile_and_normalise(destination, target.compiler, FUNCTION_FOLDER)


def build_layer(destination: Path, target: Target, root: Path = ROOT) -> None:
    """Put the packages of requirements.txt and their bytecode into the folder `destination`."""
    packages = destination / "python"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["--no-compile", "--no-deps", "--require-hashes", *target.wheels]
    run_to_end([*install, "--target", str(packages), "-r", str(root / "requirements.txt")])
    trimming.trim(packages)
    _compile_and_normalise(destination, target.compiler, LAYER_FOLDER)


def _compile_and_normalise(artifact: Path, compiler: str | None, folder_on_lambda: str) -> None:
    """Compile the modules in `artifact`, and set the modes and time stamps that every build has."""
    if compiler:
        bytecode.compile_all(artifact, compiler, folder_on_lambda)
    for path in artifact.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (_EPOCH, _EPOCH))


def layer_archive(cache: Path, root: Path = ROOT) -> Path:
    """Return where in `cache` the layer is that `zip_layer` builds, whether it is built or not."""
    interpreter = f"{sys.implementation.cache_tag} {platform.platform()} {platform.machine()}"
    builders = b"".join(
        Path(__file__).with_name(name).read_bytes()
        for name in ("bytecode.py", "service_data.py", "trimming.py")
    )
    content = (root / "requirements.txt").read_bytes() + interpreter.encode() + builders
    return cache / f"layer-{hashlib.sha256(content).hexdigest()[:16]}.zip"


def zip_layer(cache: Path, root: Path = ROOT) -> Path:
    """Archive the packages of requirements.txt, built for the interpreter that runs this code.

    The emulated Lambda runs functions with that interpreter and ignores their Runtime. The archive stays in
    `cache`, under the same name, until the requirements or the interpreter change.
    """
    archive = layer_archive(cache, root)
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
            fresh = Path(folder, "layer.zip")
            fresh.write_bytes(_zipped_layer(root / "requirements.txt", Path(folder)))
            for stale in cache.glob("*.zip"):
                stale.unlink()
            fresh.replace(archive)
    return archive


def _zipped_layer(requirements: Path, folder: Path) -> bytes:
    packages = folder / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    install += ["--no-deps", "--require-hashes", "--target", str(packages), "-r", str(requirements)]
    run_to_end(install)
    trimming.trim(packages)
    bytecode.compile_all(folder, sys.executable, LAYER_FOLDER)
    return zip_folder(folder, level=1)


def zip_folder(folder: Path, level: int = 6) -> bytes:
    """Archive all files below `folder`."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return _archive(((file.relative_to(folder), file) for file in files), level)


def _archive(files: Iterable[tuple[Path, Path]], level: int = 6) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, file in files:
            entry = zipfile.ZipInfo(name.as_posix(), _ZIP_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, level)
    return buffer.getvalue()


def _bytecode_note(version: str) -> str:
    return (
        f"note: built without bytecode, so the imports of a cold start take about twice the time: this machine has no "
        f"Python {version} to compile it. Install one (`uv python install {version}`), or name one with LAMBDA_PYTHON="
    )


def _destination(environment: Mapping[str, str]) -> Path:
    name = environment.get("ARTIFACTS_DIR")
    if not name:
        raise CommandError("ARTIFACTS_DIR= is required: the folder to build in")
    if Path(name).exists() and any(Path(name).iterdir()):
        raise CommandError(f"ARTIFACTS_DIR={name} is not empty: its files would be deployed too")
    return Path(name).resolve()


def main(artifact: str, environment: Mapping[str, str] = os.environ, root: Path = ROOT) -> int:
    """Build the artifact, or print the interpreter, for a target of the Makefile; return the exit code."""
    try:
        target = Target.from_environment(environment)
        if artifact == "interpreter":
            print(f"{target.compiler}\n" if target.compiler else "", end="")
        elif artifact == "function":
            build_function(_destination(environment), target, root)
        else:
            build_layer(_destination(environment), target, root)
            # For the layer only, so that it appears once; on stdout, since SAM shows stderr only for failed builds.
            print("" if target.compiler else f"{_bytecode_note(target.python)}\n", end="")
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Builds what is deployed.")
    parser.add_argument("artifact", choices=("function", "layer", "interpreter"))
    sys.exit(main(parser.parse_args().artifact))
