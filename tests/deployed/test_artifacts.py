"""The real artifacts: reproducible, complete, and sufficient for everything that the functions import."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.build.artifacts import problems
from infra.build.packaging import PACKAGES, ROOT, Target, code_files
from infra.build.trimming import AWS_SERVICES
from tests.deployed.conftest import build
from tests.deployed.rie import HERE
from tests.infra.build.test_packaging import digest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the artifacts are built for Linux")


def test_a_build_has_no_problems(artifacts: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    shutil.copytree(artifacts, build)
    template = build / "template.yaml"
    template.write_text(template.read_text().replace(f"python{Target.python}", f"python{HERE}"))
    assert list(problems(build)) == []


def test_two_builds_of_the_layer_are_identical(artifacts: Path, tmp_path: Path) -> None:
    build("DependencyLayer", tmp_path / "again")
    assert digest(tmp_path / "again") == digest(artifacts / "DependencyLayer")


def modules_imported() -> Iterator[str]:
    """Find the modules that the deployed code imports, at the top of a module or in a function."""
    for file in code_files():
        if file.suffix != ".py":
            continue
        tree = ast.parse((ROOT / file).read_text())
        for_type_checkers = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in for_type_checkers:
                continue
            if isinstance(node, ast.ImportFrom):
                yield str(node.module)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def run_in_layer(artifacts: Path, code: str) -> None:
    """Run Python code with only the layer and Python's own library on its path."""
    environment = {"PYTHONPATH": str(artifacts / "DependencyLayer" / "python")}
    subprocess.run([sys.executable, "-sSBP", "-c", code], env=environment, check=True)


def test_the_layer_contains_every_module_that_the_code_imports(artifacts: Path) -> None:
    names = sorted({name for name in modules_imported() if name.partition(".")[0] not in PACKAGES})
    assert {"jwt", "pwdlib.hashers.bcrypt", "fastapi"} < set(names)
    run_in_layer(artifacts, f"import importlib\nfor name in {names}: importlib.import_module(name)")


def test_the_layer_is_sufficient_to_create_each_client_that_the_functions_use(artifacts: Path) -> None:
    clients = f"for name in {AWS_SERVICES}: boto3.client(name, region_name='eu-central-1')"
    run_in_layer(artifacts, f"import boto3\n{clients}")


def test_the_artifact_has_every_time_zone_with_the_system_s_files_out_of_reach(artifacts: Path) -> None:
    code = (
        "import zoneinfo; from datetime import datetime; from domain.meters.time_zones import zone, zone_names;"
        " assert zoneinfo.TZPATH == (); offsets = {name: zone(name).utcoffset(datetime(2024, 7, 1)) for name in zone_names()};"
        " assert len(offsets) > 590; assert str(offsets['Europe/Berlin']) == '2:00:00'"
    )
    path = f"{artifacts / 'DependencyLayer' / 'python'}:{artifacts / 'ApiFunction'}"
    environment = {"PYTHONPATH": path, "PYTHONTZPATH": ""}
    subprocess.run([sys.executable, "-sSBP", "-c", code], env=environment, check=True)
