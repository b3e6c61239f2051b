"""Bytecode for Lambda's Python, made by an interpreter of the same version, if this machine has one.

A function's folder is read-only on Lambda: what is not compiled there is compiled anew at each cold start.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.commands.processes import CommandError, finish

# Where tools that install Pythons put them, below the home folder.
_INSTALLED = (".pyenv/versions/{}*/bin/python{}", ".local/share/uv/python/cpython-{}*/bin/python{}")
_ANSWER_SECONDS = 10


def interpreter(version: str, chosen: str = "") -> str | None:
    """Find a released CPython `version` and return its path; None where there is none.

    Raises:
        CommandError: `chosen` names one, and it is none.
    """
    if chosen:
        found = _verified(chosen, version)
        if found is None:
            raise CommandError(f"LAMBDA_PYTHON={chosen} is no Python {version}")
        return found
    return next(filter(None, (_verified(path, version) for path in _candidates(version))), None)


def _candidates(version: str) -> Iterator[str]:
    yield sys.executable
    if on_path := shutil.which(f"python{version}"):
        yield on_path
    for pattern in _INSTALLED:
        yield from map(str, sorted(Path.home().glob(pattern.format(version, version))))


def _verified(path: str, version: str) -> str | None:
    """Ask an interpreter what it is: the shim of a version manager may be there and start nothing."""
    question = (
        "import sys; print(sys.implementation.cache_tag, sys.version_info.releaselevel, sys.executable)"
    )
    try:
        answer = subprocess.run(  # noqa: S603 - what the caller named, or a Python by its usual name
            [path, "-sSc", question], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    tag, _, rest = answer.stdout.strip().partition(" ")
    level, _, executable = rest.partition(" ")
    return executable if (tag, level) == (tag_of(version), "final") else None


def tag_of(version: str) -> str:
    """Return what the names of bytecode and of compiled modules for `version` bear: `cpython-313`."""
    return f"cpython-{version.replace('.', '')}"


def compile_all(folder: Path, python: str, place: str) -> None:
    """Compile the modules below `folder`, which will be at `place`, with the interpreter `python`.

    The same sources give the same bytes: one process takes them in one order. They are loaded without
    a look at the source, whose time stamps change on the way to Lambda.
    """
    command = [python, "-sS", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", place, str(folder)]
    # Of the developer's variables none that Python listens to, such as PYTHONOPTIMIZE.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    finish(command, {**kept, "PYTHONHASHSEED": "0"})
