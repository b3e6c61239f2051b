"""The real artifacts: the same twice, complete, and enough for what the functions ask of them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.build.artifacts import pin, problems
from infra.build.packaging import PACKAGES, ROOT, Target, code_files
from infra.build.trimming import AWS_SERVICES
from tests.deployed.conftest import build
from tests.deployed.rie import HERE
from tests.infra.build.test_packaging import digest

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


def modules_imported() -> Iterator[str]:
    """Find what the deployed code imports of others, at the top of a module or in a function."""
    for file in code_files():
        tree = ast.parse((ROOT / file).read_text())
        for_checkers = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in for_checkers:
                continue
            if isinstance(node, ast.ImportFrom):
                yield str(node.module)
            elif isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)


def run_in_layer(artifacts: Path, code: str) -> None:
    """Run Python code that finds the layer and Python's own library, and nothing else."""
    environment = {"PYTHONPATH": str(artifacts / "DependencyLayer" / "python")}
    subprocess.run([sys.executable, "-sSBP", "-c", code], env=environment, check=True)


def test_the_layer_has_all_that_the_code_imports_also_late(artifacts: Path) -> None:
    names = sorted({name for name in modules_imported() if name.partition(".")[0] not in PACKAGES})
    assert {"jwt", "pwdlib.hashers.bcrypt", "fastapi"} < set(names)
    run_in_layer(artifacts, f"import importlib\nfor name in {names}: importlib.import_module(name)")


def test_the_layer_alone_makes_each_client_that_the_functions_use(artifacts: Path) -> None:
    clients = f"for name in {AWS_SERVICES}: boto3.client(name, region_name='eu-central-1')"
    run_in_layer(artifacts, f"import boto3\n{clients}")
