"""What is deployed, built once, and a stage of it in an emulated AWS."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local import samples
from infra.local.cloud import emulator
from infra.local.packaging import ROOT
from tests.deployed.stage import Stage, make_tls

ADMIN = {"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": "correct horse battery"}


@pytest.fixture(scope="session")
def build() -> Path:
    """Build what is deployed, for the Python that the emulated Lambda runs: this one."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    made = subprocess.run(
        ["make", "build", f"LAMBDA_VERSION={version}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return ROOT / ".aws-sam/build"


@pytest.fixture(scope="session")
def stage(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with an admin, deployed once; tests change it in the order in which they stand."""
    folder = tmp_path_factory.mktemp("stage")
    with emulator(folder, enforce_iam=True, tls=make_tls(folder)) as cloud:
        made = Stage(cloud, build, folder)
        deployed = made.sam_deploy()
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        admin = subprocess.run(
            [sys.executable, "-m", "infra.local.admin"],
            cwd=ROOT,
            env=made.environment(STACK="energy-operations-test", **ADMIN),
            capture_output=True,
            text=True,
            check=False,
        )
        assert admin.stdout == "made root, an admin\n", admin.stderr
        made.log_in(ADMIN["ADMIN_USERNAME"], ADMIN["ADMIN_PASSWORD"])
        samples.seed(cloud.client("dynamodb"), made.outputs)
        yield made
        made.close()
