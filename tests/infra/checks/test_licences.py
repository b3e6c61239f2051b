from email.message import Message
from importlib.metadata import PackageMetadata
from pathlib import Path
from typing import cast

import pytest

from infra.checks.licences import is_allowed, licence_of, main


def package(*headers: tuple[str, str]) -> PackageMetadata:
    message = Message()
    for name, value in headers:
        message[name] = value
    return cast("PackageMetadata", message)


CLASSIFIER = "Classifier", "License :: OSI Approved :: MIT License"
COPYLEFT = "Classifier", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ([("License-Expression", "BSD-3-Clause"), ("License", "GPL"), CLASSIFIER], "BSD-3-Clause"),
        ([("License", "Apache License 2.0")], "Apache-2.0"),
        ([("License", "Copyright of the authors, who permit …"), CLASSIFIER], "MIT"),
        ([("Classifier", "License :: OSI Approved"), CLASSIFIER], "MIT"),
        ([CLASSIFIER, COPYLEFT], "GNU General Public License v3 (GPLv3) AND MIT"),
        ([("License", "of my own making")], "of my own making"),
        ([("Classifier", "Programming Language :: Python")], "none"),
    ],
)
def test_the_most_exact_declaration_of_a_licence_is_used(
    headers: list[tuple[str, str]], licence: str
) -> None:
    assert licence_of(package(*headers)) == licence


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND Apache-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only OR MIT AND LGPL-3.0-only", False),
        ("(MIT)", False),  # a person has to decide
        ("none", False),
        ("", False),
    ],
)
def test_each_part_of_one_alternative_must_be_allowed(licence: str, allowed: bool) -> None:
    assert is_allowed(licence) == allowed


def test_a_package_with_an_unknown_licence_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        "pydantic==2 \\\n    --hash=sha256:00\nno-such-package==1.0 ; python_version < '4'\n"
    )
    assert main(requirements) == 1
    output, errors = capsys.readouterr()
    assert output.splitlines()[0].split() == ["pydantic", "2", "MIT"]
    assert errors == (
        "error: no-such-package 1.0 is under unknown: not installed here, which is not allowed\n"
    )


def test_requirements_without_a_package_are_refused(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# pydantic\n")
    assert main(requirements) == 1


def test_the_licences_of_the_deployed_packages_are_allowed() -> None:
    assert main() == 0
