"""What is deployed, built by the targets that `sam build` calls, for the Python that runs the tests."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.local import template
from infra.local.packaging import ROOT
from tests.deployed.rie import ARCHITECTURE, HERE, SAM_PYTHON

FUNCTIONS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in template.read(ROOT / "template.yaml")["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}


def build(logical_id: str, folder: Path) -> None:
    """Build what template.yaml calls `logical_id` into `folder`."""
    folder.mkdir()
    told = {
        "PYTHON": str(SAM_PYTHON),
        "ARTIFACTS_DIR": str(folder),
        "LAMBDA_VERSION": HERE,
        "ARCHITECTURE": ARCHITECTURE,
    }
    command = ["make", "--silent", "-C", str(ROOT), f"build-{logical_id}"]
    built = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stdout) == (0, ""), built.stderr


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build every function and the layer, each into the folder of its logical id."""
    folder = tmp_path_factory.mktemp("artifacts")
    for logical_id in ("DependencyLayer", *FUNCTIONS):
        build(logical_id, folder / logical_id)
    return folder
