import json
from pathlib import Path
from typing import Any

import pytest

from infra.build.template import Template
from infra.checks.scan import findings
from infra.commands.command_error import CommandError

QUEUE: Template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}


def scanner(tmp_path: Path, command: str) -> Path:
    """Write a program that stands in for checkov."""
    program = tmp_path / "checkov"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    return program


def scanner_with(tmp_path: Path, report: dict[str, Any]) -> Path:
    return scanner(tmp_path, f"cat <<'EOF'\n{json.dumps(report)}\nEOF")


def test_a_finding_names_the_check_the_resource_and_the_expansions(tmp_path: Path) -> None:
    found = {"check_id": "CKV_AWS_27", "check_name": "Ensure", "resource": "AWS::SQS::Queue.Queue"}
    failed = [{**found, "file_path": f"/{name}.json"} for name in ("production", "defaults")]
    report = {"summary": {"resource_count": 2}, "results": {"failed_checks": failed}}
    reported = list(findings(scanner_with(tmp_path, report), QUEUE))
    assert reported == ["CKV_AWS_27 AWS::SQS::Queue.Queue: Ensure (defaults, production)"]


@pytest.mark.parametrize(
    "report",
    [
        {"resource_count": 0},  # of a file without any resource
        {
            "summary": {"resource_count": 1},
            "results": {"failed_checks": []},
        },  # of a file that it could not read
    ],
)
def test_a_template_that_was_not_checked_completely_is_an_error(
    tmp_path: Path, report: dict[str, Any]
) -> None:
    with pytest.raises(CommandError, match=r"checked [01] of 2 resources"):
        list(findings(scanner_with(tmp_path, report), QUEUE))


def test_the_error_about_a_failed_scanner_contains_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="checkov failed: no such option"):
        list(findings(scanner(tmp_path, "echo no such option >&2; exit 2"), QUEUE))


def test_a_scanner_does_not_inherit_the_developers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BC_API_KEY", "secret")
    with pytest.raises(CommandError, match=r"checkov failed: key:$"):
        list(findings(scanner(tmp_path, "echo key:$BC_API_KEY >&2"), QUEUE))
