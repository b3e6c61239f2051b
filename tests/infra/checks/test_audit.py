import json
from pathlib import Path
from typing import Any

import pytest

from infra.checks.audit import vulnerabilities
from infra.commands.command_error import CommandError


def auditor(tmp_path: Path, command: str) -> Path:
    """Write a program that stands in for pip-audit."""
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    return program


def audit(tmp_path: Path, *packages: dict[str, Any]) -> list[str]:
    report = json.dumps({"dependencies": packages, "fixes": []})
    program = auditor(tmp_path, f"cat <<'EOF'\n{report}\nEOF\nexit 1")
    return list(vulnerabilities(program, tmp_path / "requirements.txt"))


GOOD = {"name": "six", "version": "1.17.0", "vulns": []}


def test_a_known_vulnerability_is_printed_with_the_version_that_fixes_it(tmp_path: Path) -> None:
    fixed = {"id": "PYSEC-2026-1", "fix_versions": ["2.8.1", "2.9"], "aliases": []}
    not_fixed = {"id": "PYSEC-2026-2", "fix_versions": [], "aliases": []}
    bad = {"name": "urllib3", "version": "2.8.0", "vulns": [fixed, not_fixed]}
    assert audit(tmp_path, GOOD, bad) == [
        "urllib3 2.8.0: PYSEC-2026-1, fixed in 2.8.1, 2.9",
        "urllib3 2.8.0: PYSEC-2026-2, fixed in no version yet",
    ]
    assert audit(tmp_path, GOOD) == []


def test_a_skipped_package_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="1 packages were not audited: not found on PyPI"):
        audit(tmp_path, GOOD, {"name": "anyio", "skip_reason": "not found on PyPI"})


def test_an_unreachable_service_is_an_error(tmp_path: Path) -> None:
    program = auditor(tmp_path, "echo 'ConnectionError: pypi.org' >&2; exit 1")
    with pytest.raises(CommandError, match=r"PyPI may be unreachable: ConnectionError: pypi\.org"):
        list(vulnerabilities(program, tmp_path / "requirements.txt"))
