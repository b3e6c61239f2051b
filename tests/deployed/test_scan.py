"""checkov itself, on template.yaml with added weaknesses."""

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.build.packaging import ROOT
from infra.build.template import Template, read
from infra.checks.scan import findings

Weaken = Callable[[Template], None]


def make_the_files_public(template: Template) -> None:
    template["Resources"]["ExportBucket"]["Properties"]["PublicAccessBlockConfiguration"] = {}


def let_a_role_do_everything(template: Template) -> None:
    statements = template["Resources"]["ApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    statements.append({"Effect": "Allow", "Action": "*", "Resource": "*"})


def disable_backups(template: Template) -> None:
    del template["Resources"]["ContractsTable"]["Properties"]["PointInTimeRecoverySpecification"]


WEAKNESSES: dict[Weaken, str] = {
    make_the_files_public: "CKV_AWS_53 AWS::S3::Bucket.ExportBucket",
    let_a_role_do_everything: "CKV_AWS_110 AWS::IAM::Role.ApiRole",
    disable_backups: "CKV_AWS_28 AWS::DynamoDB::Table.ContractsTable",
}


@pytest.fixture(scope="module")
def checkov() -> Path:
    subprocess.run(["make", "--silent", ".venv-checkov/synced"], cwd=ROOT, check=True)
    return ROOT / ".venv-checkov" / "bin" / "checkov"


def test_weaknesses_in_the_template_are_found(checkov: Path) -> None:
    weak = copy.deepcopy(read(ROOT / "template.yaml"))
    for weaken in WEAKNESSES:
        weaken(weak)
    found = list(findings(checkov, weak))
    for weakness in WEAKNESSES.values():
        assert [line for line in found if line.startswith(weakness)], weakness
