import shutil
from pathlib import Path

import pytest

from tests.engines import version_of_java


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_402"', 1),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", 0),
    ],
)
def test_the_version_of_a_java_is_read_from_what_it_says(tmp_path: Path, answer: str, version: int) -> None:
    (tmp_path / "answer").write_text(answer)
    program = tmp_path / "java"
    program.write_text(f"#!/bin/sh\n{shutil.which('cat')} '{tmp_path}/answer' >&2\n")
    program.chmod(0o755)
    assert version_of_java(str(program)) == version
