"""The real artifacts: the same twice, complete, and enough for what the functions ask of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.artifacts import pin, problems
from infra.local.packaging import ROOT, Target
from infra.local.trimming import AWS_SERVICES
from tests.deployed.conftest import build
from tests.deployed.rie import HERE
from tests.infra.local.test_packaging import digest

pytestmark = [
    pytest.mark.xdist_group("deployed"),
    pytest.mark.skipif(sys.platform != "linux", reason="what is built is for Linux"),
]


def test_a_build_has_no_problems(artifacts: Path) -> None:
    text = (ROOT / "template.yaml").read_text()
    told = text.replace(f"python{Target.python}", f"python{HERE}")
    (artifacts / "template.yaml").write_text(told)
    pin(artifacts)
    assert list(problems(artifacts)) == []


def test_a_layer_built_twice_is_the_same_to_the_last_byte(artifacts: Path, tmp_path: Path) -> None:
    build("DependencyLayer", tmp_path / "again")
    assert digest(tmp_path / "again") == digest(artifacts / "DependencyLayer")


def test_the_layer_alone_makes_each_client_that_the_functions_use(artifacts: Path) -> None:
    code = f"import boto3\nfor name in {AWS_SERVICES}: boto3.client(name, region_name='eu-central-1')"
    command = [sys.executable, "-sSB", "-c", code]
    subprocess.run(command, env={"PYTHONPATH": str(artifacts / "DependencyLayer" / "python")}, check=True)
