"""The artifacts, built for the Python that runs the tests, and a stage deployed from them to an emulated AWS."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.build import template
from infra.build.packaging import ROOT, Target
from infra.commands import processes
from infra.local import sample_meters
from infra.local.emulator import emulator
from tests.deployed.rie import ARCHITECTURE, HERE, SAM_PYTHON
from tests.deployed.stage import STACK, Stage, make_tls
from tests.engines import shared

ADMIN = {"ADMIN_USERNAME": "root", "ADMIN_PASSWORD": "correct horse battery"}

FUNCTIONS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in template.read(ROOT / "template.yaml")["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # Two workers, one of which has the stage.
            group = "stage" if "stage" in getattr(item, "fixturenames", ()) else "artifacts"
            item.add_marker(pytest.mark.xdist_group(group))


def build(logical_id: str, folder: Path) -> None:
    """Build the function or layer `logical_id` of template.yaml into `folder`."""
    folder.mkdir()
    variables = {
        "PYTHON": str(SAM_PYTHON),
        "ARTIFACTS_DIR": str(folder),
        "LAMBDA_VERSION": HERE,
        "ARCHITECTURE": ARCHITECTURE,
    }
    _make(["--silent", f"build-{logical_id}"], variables)


def _make(targets: list[str], environment: dict[str, str]) -> None:
    command = ["make", "-C", str(ROOT), *targets]
    # Without the flags of a `make` that runs these tests, which would also apply to the builds.
    inherited = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    completed = subprocess.run(
        command, env={**inherited, **environment}, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr


@pytest.fixture(scope="session", autouse=True)
def sam_cli() -> None:
    """Install SAM CLI where it is missing, so that one file of these tests can be run alone too."""
    _make(["--silent", ".venv-sam/synced"], {})


@contextmanager
def built() -> Iterator[str]:
    """Build as the README describes; yield the folder with the built template and a folder for each logical id.

    What is built for the template's version of Python is checked too, as `make sam-check` does.
    """
    target = "sam-check" if Target.python == HERE else "build"
    _make([target, f"ARCHITECTURE={ARCHITECTURE}"], {"LAMBDA_VERSION": HERE})
    yield str(ROOT / ".aws-sam/build")


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of what one worker has built for all."""
    own = tmp_path_factory.getbasetemp()
    with shared(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own, built) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def stage(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with an admin, deployed once; tests change it in the order in which they are written."""
    if sys.platform != "linux":
        pytest.skip("the emulated AWS runs the artifacts, which are built for Linux")
    folder = tmp_path_factory.mktemp("stage")
    with emulator(folder, enforce_iam=True, tls=make_tls(folder)) as cloud:
        stage = Stage(cloud, artifacts, folder)
        stage.parameters["Architecture"] = ARCHITECTURE
        deployed = stage.sam_deploy()
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        admin = subprocess.run(
            [sys.executable, "-m", "infra.operate.create_admin"],
            cwd=ROOT,
            env=stage.environment(STACK=STACK, **ADMIN),
            capture_output=True,
            text=True,
            check=False,
        )
        assert admin.stdout == "created the admin root\n", admin.stderr
        stage.log_in(ADMIN["ADMIN_USERNAME"], ADMIN["ADMIN_PASSWORD"])
        sample_meters.seed(cloud.client("dynamodb"), stage.outputs)
        yield stage
        stage.close()
        processes.kill(cloud.process)  # its state need not be saved
