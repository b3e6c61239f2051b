"""Bytecode for Lambda's Python, compiled by an interpreter of the same version, if this machine has one.

A function's folder is read-only on Lambda: modules without bytecode are compiled again at each cold start.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.commands.command_error import CommandError
from infra.commands.processes import run_to_end

# Where pyenv and uv install interpreters, below the home folder.
_INSTALLED = (".pyenv/versions/{}*/bin/python{}", ".local/share/uv/python/cpython-{}*/bin/python{}")
_ANSWER_SECONDS = 10


def interpreter(version: str, chosen: str = "") -> str | None:
    """Find a released CPython `version` and return its path; None if this machine has none.

    Raises:
        CommandError: `chosen` is not the path of such an interpreter.
    """
    if chosen:
        found = _verified(chosen, version)
        if found is None:
            raise CommandError(f"LAMBDA_PYTHON={chosen} is not a Python {version}")
        return found
    return next(filter(None, (_verified(path, version) for path in _candidates(version))), None)


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    for pattern in _INSTALLED:
        yield from map(str, sorted(Path.home().glob(pattern.format(version, version))))


def _verified(path: str, version: str) -> str | None:
    """Ask an interpreter for its version: the shim of a version manager may exist without one behind it."""
    question = (
        "import sys; print(sys.implementation.cache_tag, sys.version_info.releaselevel, sys.executable)"
    )
    try:
        answer = subprocess.run(  # noqa: S603 - the caller's choice, or a Python in one of its usual places
            [path, "-sSc", question], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    tag, _, rest = answer.stdout.strip().partition(" ")
    level, _, executable = rest.partition(" ")
    return executable if (tag, level) == (tag_of(version), "final") else None


def tag_of(version: str) -> str:
    """Return the tag in the file names of bytecode and compiled modules for `version`: `cpython-313`."""
    return f"cpython-{version.replace('.', '')}"


def compile_all(folder: Path, python: str, folder_on_lambda: str) -> None:
    """Compile the modules below `folder`, which is `folder_on_lambda` later, with the interpreter `python`.

    The same sources give the same bytes, since one process compiles them in a fixed order. Python loads the
    bytecode without checking the sources, whose time stamps change on the way to Lambda.
    """
    command = [python, "-sS", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", folder_on_lambda, str(folder)]
    # Without the developer's variables that change what Python does, such as PYTHONOPTIMIZE.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    run_to_end(command, {**inherited, "PYTHONHASHSEED": "0"})
