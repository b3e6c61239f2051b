import hashlib
import os
import re
import sys
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath

import pytest

from infra.build.packaging import ROOT, Target, build_function, code_files, copy_code, main, zip_code
from infra.commands.command_error import CommandError
from tests.conftest import read_template

HERE = f"3.{sys.version_info.minor}"
NOT_INSTALLED = "3.99"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (
        "domain/contracts/contract.py",
        "domain/__pycache__/contracts.cpython-313.pyc",
        "functions/api/handler.py",
        "functions/.cache/left.py",
        "infra/aws.py",
        "infra/build/packaging.py",
        "infra/checks/scan.py",
        "infra/commands/processes.py",
        "infra/local/run.py",
        "infra/operate/forget.py",
        "tests/domain/test_contracts.py",
        ".venv/lib/module.py",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n")
    return tmp_path


DEPLOYED = ["domain/contracts/contract.py", "infra/aws.py", "functions/api/handler.py"]


def test_a_function_contains_the_three_packages_without_commands_and_generated_files(checkout: Path) -> None:
    assert [file.as_posix() for file in code_files(checkout)] == DEPLOYED


def test_the_archive_and_the_built_folder_contain_the_same_files(checkout: Path, tmp_path: Path) -> None:
    built = tmp_path / "artifact"
    copy_code(built, checkout)
    with zipfile.ZipFile(BytesIO(zip_code(checkout))) as archive:
        zipped = {name: archive.read(name) for name in archive.namelist()}
    assert zipped == {
        file.relative_to(built).as_posix(): file.read_bytes() for file in built.rglob("*") if file.is_file()
    }


def test_the_same_code_gives_the_same_archive_at_any_time(checkout: Path) -> None:
    first = zip_code(checkout)
    for file in code_files(checkout):
        (checkout / file).write_bytes((checkout / file).read_bytes())
        (checkout / file).touch()
    assert zip_code(checkout) == first


def test_changed_code_gives_another_archive(checkout: Path) -> None:
    first = zip_code(checkout)
    (checkout / "domain/contracts/contract.py").write_text("changed = True\n")
    assert zip_code(checkout) != first


def test_the_real_archive_contains_the_handler_and_no_command() -> None:
    with zipfile.ZipFile(BytesIO(zip_code(ROOT))) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
    assert PurePosixPath("functions/api/handler.py") in names
    folders = {name.parent.as_posix() for name in names}
    commands = {f"infra/{folder}" for folder in ("build", "checks", "commands", "local", "operate")}
    assert folders.isdisjoint(commands)
    assert not [name for name in names if "tests" in name.parts]


def digest(folder: Path) -> str:
    """Return a digest of the names, modes, time stamps and contents of all files below `folder`."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        facts = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        total.update(repr((path.relative_to(folder), facts.st_mode, facts.st_mtime_ns, content)).encode())
    return total.hexdigest()


def test_two_builds_of_a_function_are_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_without_an_interpreter_a_function_is_built_without_bytecode(checkout: Path, tmp_path: Path) -> None:
    build_function(tmp_path / "built", Target(NOT_INSTALLED), checkout)
    assert not list((tmp_path / "built").rglob("*.pyc"))


def test_the_default_version_of_a_build_is_the_runtime_of_the_template() -> None:
    assert f"python{Target.python}" == read_template()["Globals"]["Function"]["Runtime"]


def test_each_architecture_is_built_from_its_own_wheels() -> None:
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
def test_the_error_about_a_wrong_value_is_one_line_that_names_it(
    variable: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("function", {"ARTIFACTS_DIR": str(tmp_path / "built"), variable: value}) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {variable}={value} is ")
    assert printed.count("\n") == 1
    assert not (tmp_path / "built").exists()


def test_a_chosen_interpreter_of_another_version_is_refused() -> None:
    with pytest.raises(CommandError, match="is not a Python 3"):
        Target.from_environment({"LAMBDA_VERSION": NOT_INSTALLED, "LAMBDA_PYTHON": sys.executable})


@pytest.mark.parametrize("artifact", ["function", "layer"])
def test_the_folder_to_build_in_must_be_named_and_empty(
    artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "left.py").write_text("")
    assert main(artifact, {"ARTIFACTS_DIR": str(tmp_path)}) == 1
    assert main(artifact, {}) == 1
    assert [line.split(" ")[1][:13] for line in capsys.readouterr().err.splitlines()] == ["ARTIFACTS_DIR"] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["left.py"]


@pytest.mark.parametrize(("version", "lines"), [(NOT_INSTALLED, 1), (HERE, 0)])
def test_the_build_of_a_layer_without_bytecode_prints_the_cost(
    version: str, lines: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("")
    environment = {"ARTIFACTS_DIR": str(tmp_path / "built"), "LAMBDA_VERSION": version}
    assert main("layer", environment, tmp_path) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == lines
    assert all("twice" in line and "LAMBDA_PYTHON" in line for line in printed)


def test_the_interpreter_is_printed_if_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("interpreter", {"LAMBDA_VERSION": HERE}) == 0
    assert Path(capsys.readouterr().out.strip()).exists()
    assert main("interpreter", {"LAMBDA_VERSION": NOT_INSTALLED}) == 0
    assert capsys.readouterr().out == ""


def test_no_requirement_depends_on_the_python_that_builds() -> None:
    """pip evaluates the markers of a requirement for the Python it runs on, not for the one it installs for."""
    markers = re.findall(r"^\S+==\S+ ; (.*) \\$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert {marker.split()[0] for marker in markers} <= {"implementation_name"}
