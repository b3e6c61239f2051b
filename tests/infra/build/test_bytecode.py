import subprocess
import sys
from pathlib import Path

import pytest

from infra.build.bytecode import compile_all, interpreter

HERE = f"3.{sys.version_info.minor}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder and an empty PATH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def write_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_running_python_is_used_if_its_version_matches(home: Path) -> None:
    assert interpreter(HERE) == sys.executable


def test_without_a_matching_interpreter_the_answer_is_none(home: Path) -> None:
    assert interpreter("3.99") is None


def test_a_shim_without_an_interpreter_behind_it_is_skipped(home: Path) -> None:
    write_program(home / "bin/python3.99", "echo not installed >&2; exit 127")
    write_program(home / ".pyenv/versions/3.99.1/bin/python3.99", "echo cpython-399 final /the/python3.99")
    assert interpreter("3.99") == "/the/python3.99"


@pytest.mark.parametrize("other", ["cpython-399 candidate", "pypy399 final", "cpython-398 final"])
def test_only_a_released_cpython_of_the_version_is_used(home: Path, other: str) -> None:
    write_program(home / "bin/python3.99", f"echo {other} /the/python3.99")
    assert interpreter("3.99") is None


def test_an_installation_by_uv_is_found(home: Path) -> None:
    write_program(
        home / ".local/share/uv/python/cpython-3.99.0-linux-x86_64-gnu/bin/python3.99",
        "echo cpython-399 final /uv/python3.99",
    )
    assert interpreter("3.99") == "/uv/python3.99"


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the compiled module `sample`."""
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "sample.py").write_text("def call(): raise ValueError\n")
    compile_all(folder, sys.executable, "/var/task")
    monkeypatch.delenv("PYTHONOPTIMIZE")
    return folder


def run(folder: Path, code: str) -> str:
    command = [sys.executable, "-B", "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stderr


def test_bytecode_is_compiled_for_a_python_without_options(compiled: Path) -> None:
    names = [file.name for file in compiled.rglob("*.pyc")]
    assert names == [f"sample.{sys.implementation.cache_tag}.pyc"]


def test_bytecode_contains_its_path_on_lambda_and_not_the_path_of_the_build(compiled: Path) -> None:
    (content,) = (file.read_bytes() for file in compiled.rglob("*.pyc"))
    assert b"/var/task/sample.py" in content
    assert str(compiled).encode() not in content


def test_bytecode_is_loaded_even_if_its_source_has_changed(compiled: Path) -> None:
    (compiled / "sample.py").write_text("def call(): pass  # later\n")
    assert "ValueError" in run(compiled, "import sample; sample.call()")
