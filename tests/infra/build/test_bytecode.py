import subprocess
import sys
from pathlib import Path

import pytest

from infra.build.bytecode import compile_all, interpreter

HERE = f"3.{sys.version_info.minor}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a PATH with nothing in them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def program(path: Path, does: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def test_the_python_that_runs_this_is_taken_where_it_matches(home: Path) -> None:
    assert interpreter(HERE) == sys.executable


def test_there_may_be_none(home: Path) -> None:
    assert interpreter("3.99") is None


def test_a_shim_that_starts_nothing_is_passed_over(home: Path) -> None:
    program(home / "bin/python3.99", "echo not installed >&2; exit 127")
    program(home / ".pyenv/versions/3.99.1/bin/python3.99", "echo cpython-399 final /the/python3.99")
    assert interpreter("3.99") == "/the/python3.99"


@pytest.mark.parametrize("is_not_it", ["cpython-399 candidate", "pypy399 final", "cpython-398 final"])
def test_only_a_released_cpython_of_the_version_makes_its_bytecode(home: Path, is_not_it: str) -> None:
    program(home / "bin/python3.99", f"echo {is_not_it} /the/python3.99")
    assert interpreter("3.99") is None


def test_an_installation_by_uv_is_found(home: Path) -> None:
    program(
        home / ".local/share/uv/python/cpython-3.99.0-linux-x86_64-gnu/bin/python3.99",
        "echo cpython-399 final /uv/python3.99",
    )
    assert interpreter("3.99") == "/uv/python3.99"


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the compiled module `told`."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "told.py").write_text("def tell(): raise ValueError\n")
    compile_all(folder, sys.executable, "/var/task")
    monkeypatch.delenv("PYTHONOPTIMIZE")
    return folder


def run(folder: Path, code: str) -> str:
    command = [sys.executable, "-B", "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stderr


def test_bytecode_is_for_a_python_without_options(compiled: Path) -> None:
    names = [file.name for file in compiled.rglob("*.pyc")]
    assert names == [f"told.{sys.implementation.cache_tag}.pyc"]


def test_bytecode_names_the_place_on_lambda_and_not_where_it_was_made(compiled: Path) -> None:
    (made,) = (file.read_bytes() for file in compiled.rglob("*.pyc"))
    assert b"/var/task/told.py" in made
    assert str(compiled).encode() not in made


def test_bytecode_counts_whatever_has_become_of_its_source(compiled: Path) -> None:
    (compiled / "told.py").write_text("def tell(): pass  # later\n")
    assert "ValueError" in run(compiled, "import told; told.tell()")
