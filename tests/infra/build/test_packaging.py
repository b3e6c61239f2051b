import hashlib
import os
import re
import sys
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath

import pytest

from infra.build.packaging import ROOT, Target, build_function, code_files, copy_code, main, zip_code
from infra.commands.processes import CommandError
from tests.conftest import read_template

HERE = f"3.{sys.version_info.minor}"
NOWHERE = "3.99"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (
        "domain/contracts/contract.py",
        "domain/__pycache__/contracts.cpython-313.pyc",
        "functions/api/handler.py",
        "functions/.cache/left.py",
        "infra/aws.py",
        "infra/local/run.py",
        "tests/domain/test_contracts.py",
        ".venv/lib/module.py",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")
    return tmp_path


DEPLOYED = ["domain/contracts/contract.py", "infra/aws.py", "functions/api/handler.py"]


def test_a_function_holds_the_three_packages_and_nothing_local_or_generated(checkout: Path) -> None:
    assert [file.as_posix() for file in code_files(checkout)] == DEPLOYED


def test_the_archive_and_the_built_folder_hold_the_same_files(checkout: Path, tmp_path: Path) -> None:
    built = tmp_path / "artifact"
    copy_code(built, checkout)
    with zipfile.ZipFile(BytesIO(zip_code(checkout))) as archive:
        zipped = {name: archive.read(name) for name in archive.namelist()}
    assert zipped == {
        file.relative_to(built).as_posix(): file.read_bytes() for file in built.rglob("*") if file.is_file()
    }


def test_the_same_code_makes_the_same_archive_whenever_its_files_were_written(checkout: Path) -> None:
    first = zip_code(checkout)
    for file in code_files(checkout):
        (checkout / file).write_bytes((checkout / file).read_bytes())
        (checkout / file).touch()
    assert zip_code(checkout) == first


def test_changed_code_makes_another_archive(checkout: Path) -> None:
    first = zip_code(checkout)
    (checkout / "domain/contracts/contract.py").write_text("changed = True\n")
    assert zip_code(checkout) != first


def test_the_real_archive_has_the_handler_and_no_emulator() -> None:
    with zipfile.ZipFile(BytesIO(zip_code(ROOT))) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
    assert PurePosixPath("functions/api/handler.py") in names
    assert not [name for name in names if name.is_relative_to("infra/local") or "tests" in name.parts]


def digest(folder: Path) -> str:
    """Return a digest of names, modes, time stamps and contents of everything below `folder`."""
    summed = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        told = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        summed.update(repr((path.relative_to(folder), told.st_mode, told.st_mtime_ns, content)).encode())
    return summed.hexdigest()


def test_a_function_built_twice_is_the_same_to_the_last_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(HERE, compiler=sys.executable)
    build_function(tmp_path / "one", target)
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    before = os.umask(0o077)
    try:
        build_function(tmp_path / "other" / "place", target)
    finally:
        os.umask(before)
    assert digest(tmp_path / "one") == digest(tmp_path / "other" / "place")


def test_each_module_of_a_function_has_its_bytecode(checkout: Path, tmp_path: Path) -> None:
    build_function(tmp_path / "built", Target(HERE, compiler=sys.executable), checkout)
    tag = sys.implementation.cache_tag
    assert {file.name for file in (tmp_path / "built").rglob("*.pyc")} == {
        f"{Path(name).stem}.{tag}.pyc" for name in DEPLOYED
    }


def test_without_an_interpreter_a_function_is_its_code_alone(checkout: Path, tmp_path: Path) -> None:
    build_function(tmp_path / "built", Target(NOWHERE), checkout)
    assert not list((tmp_path / "built").rglob("*.pyc"))


def test_what_is_built_unless_told_otherwise_is_what_the_template_runs_on() -> None:
    assert f"python{Target.python}" == read_template()["Globals"]["Function"]["Runtime"]


def test_an_architecture_is_built_from_its_own_wheels() -> None:
    def platforms(target: Target) -> list[str]:
        return [option for option in target.wheels if option.startswith("--platform")]

    assert platforms(Target()) == ["--platform=manylinux2014_x86_64", "--platform=manylinux_2_28_x86_64"]
    assert platforms(Target(architecture="arm64")) == [
        "--platform=manylinux2014_aarch64",
        "--platform=manylinux_2_28_aarch64",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ARCHITECTURE", "aarch64"),
        ("LAMBDA_VERSION", "3.10"),
        ("LAMBDA_VERSION", "3.13.1"),
        ("LAMBDA_VERSION", "4.0"),
        ("LAMBDA_PYTHON", "/nowhere/python3.13"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(
    variable: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("function", {"ARTIFACTS_DIR": str(tmp_path / "built"), variable: value}) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {variable}={value} is ")
    assert told.count("\n") == 1
    assert not (tmp_path / "built").exists()


def test_an_interpreter_that_was_named_and_is_another_is_refused() -> None:
    with pytest.raises(CommandError, match="is no Python 3"):
        Target.from_environment({"LAMBDA_VERSION": NOWHERE, "LAMBDA_PYTHON": sys.executable})


@pytest.mark.parametrize("what", ["function", "layer"])
def test_nothing_is_built_over_what_is_there(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "left.py").write_text("")
    assert main(what, {"ARTIFACTS_DIR": str(tmp_path)}) == 1
    assert main(what, {}) == 1
    assert [line.split(" ")[1][:13] for line in capsys.readouterr().err.splitlines()] == ["ARTIFACTS_DIR"] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["left.py"]


@pytest.mark.parametrize(("version", "lines"), [(NOWHERE, 1), (HERE, 0)])
def test_a_layer_without_bytecode_says_what_that_costs(
    version: str, lines: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("")
    wanted = {"ARTIFACTS_DIR": str(tmp_path / "built"), "LAMBDA_VERSION": version}
    assert main("layer", wanted, tmp_path) == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == lines
    assert all("twice" in line and "LAMBDA_PYTHON" in line for line in told)


def test_the_interpreter_is_printed_where_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("interpreter", {"LAMBDA_VERSION": HERE}) == 0
    assert Path(capsys.readouterr().out.strip()).exists()
    assert main("interpreter", {"LAMBDA_VERSION": NOWHERE}) == 0
    assert capsys.readouterr().out == ""


def test_no_requirement_depends_on_the_python_that_builds() -> None:
    """pip asks the markers of a requirement of the Python it runs on, not of the one it installs for."""
    markers = re.findall(r"^\S+==\S+ ; (.*) \\$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert {marker.split()[0] for marker in markers} <= {"implementation_name"}
