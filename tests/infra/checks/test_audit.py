import json
from pathlib import Path
from typing import Any

import pytest

from infra.checks.audit import vulnerabilities
from infra.commands.processes import CommandError


def auditor(tmp_path: Path, command: str) -> Path:
    """Put a program in pip-audit's place."""
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    return program


def told_of(tmp_path: Path, *packages: dict[str, Any]) -> list[str]:
    report = json.dumps({"dependencies": packages, "fixes": []})
    program = auditor(tmp_path, f"cat <<'EOF'\n{report}\nEOF\nexit 1")
    return list(vulnerabilities(program, tmp_path / "requirements.txt"))


GOOD = {"name": "six", "version": "1.17.0", "vulns": []}


def test_what_is_known_is_told_with_the_version_that_mends_it(tmp_path: Path) -> None:
    mended = {"id": "PYSEC-2026-1", "fix_versions": ["2.8.1", "2.9"], "aliases": []}
    open_still = {"id": "PYSEC-2026-2", "fix_versions": [], "aliases": []}
    bad = {"name": "urllib3", "version": "2.8.0", "vulns": [mended, open_still]}
    assert told_of(tmp_path, GOOD, bad) == [
        "urllib3 2.8.0: PYSEC-2026-1, mended in 2.8.1, 2.9",
        "urllib3 2.8.0: PYSEC-2026-2, mended in no version yet",
    ]
    assert told_of(tmp_path, GOOD) == []


def test_a_package_that_was_passed_over_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="of 1 packages nothing was found out: not found on PyPI"):
        told_of(tmp_path, GOOD, {"name": "anyio", "skip_reason": "not found on PyPI"})


def test_a_service_out_of_reach_is_told(tmp_path: Path) -> None:
    program = auditor(tmp_path, "echo 'ConnectionError: pypi.org' >&2; exit 1")
    with pytest.raises(CommandError, match=r"PyPI may be out of reach: ConnectionError: pypi\.org"):
        list(vulnerabilities(program, tmp_path / "requirements.txt"))
