import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath

import pytest

from infra.local.packaging import ROOT, code_files, copy_code, zip_code


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (
        "domain/contracts.py",
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


DEPLOYED = ["domain/contracts.py", "infra/aws.py", "functions/api/handler.py"]


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
    (checkout / "domain/contracts.py").write_text("changed = True\n")
    assert zip_code(checkout) != first


def test_the_real_archive_has_the_handler_and_no_emulator() -> None:
    with zipfile.ZipFile(BytesIO(zip_code(ROOT))) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
    assert PurePosixPath("functions/api/handler.py") in names
    assert not [name for name in names if name.is_relative_to("infra/local") or "tests" in name.parts]
