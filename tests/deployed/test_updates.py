"""Updates of a running stage, failed updates, and its deletion."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.build.packaging import ROOT
from tests.deployed.stage import STACK, Stage

NUMBER = "7001"
START = {
    "type": "supply_energy_start",
    "contract_number": NUMBER,
    "date": "2024-01-01",
    "created_at": "2023-12-01T00:00:00Z",
}


@pytest.fixture(scope="module", autouse=True)
def contract(stage: Stage) -> None:
    """A contract with a history, which must survive all updates."""
    root = stage.http("root")
    created = root.post("/contract", json={"contract_number": NUMBER, "components": ["energy_supply"]})
    assert created.status_code == 201
    assert root.post("/event", json=START).json()["code"] == "accepted"


def stored(stage: Stage) -> Any:
    """Read the contract, its timeline and its trail, with an access token issued before the update."""
    root = stage.http("root")
    answers = [root.get(f"/contract/{NUMBER}{path}") for path in ("", "/contract_timeline", "/events")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    return [answer.json() for answer in answers]


def live(stage: Stage) -> dict[str, Any]:
    """Return the configuration of the live version of the API function."""
    answer: dict[str, Any] = stage.cloud.client("lambda").get_function_configuration(
        FunctionName=stage.outputs["api_function_name"], Qualifier="live"
    )
    return answer


def changed(stage: Stage, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return a copy of the build with a changed template."""
    copy = folder / "build"
    shutil.copytree(stage.build, copy)
    template = copy / "template.yaml"
    text = template.read_text()
    # SAM writes only long forms into the built template, so that any YAML parser can read it.
    read = yaml.safe_load(text)
    change(read["Resources"])
    template.write_text(json.dumps(read))
    return copy


def test_an_update_of_a_single_parameter_reaches_callers_and_loses_no_data(stage: Stage) -> None:
    before, version = stored(stage), live(stage)["Version"]
    assert live(stage)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "INFO"
    deployed = stage.sam_deploy(LogLevel="DEBUG")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert stage.status == "UPDATE_COMPLETE"
    assert live(stage)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    assert live(stage)["Version"] != version
    assert stored(stage) == before


def test_deploying_the_same_again_changes_nothing(stage: Stage) -> None:
    version = live(stage)["Version"]
    deployed = stage.sam_deploy(LogLevel="DEBUG")
    assert "No changes to deploy" in deployed.stdout + deployed.stderr
    assert live(stage)["Version"] == version


def test_an_update_of_the_code_reaches_callers_and_loses_no_data(stage: Stage, tmp_path: Path) -> None:
    def other_code(resources: dict[str, Any]) -> None:
        package = tmp_path / "build/ApiFunction/functions/api"
        (package / "__init__.py").write_text('VERSION = "9.9.9"\n')
        for compiled in package.glob("__pycache__/__init__.*"):
            compiled.unlink()

    before = stored(stage)
    deployed = stage.sam_deploy(changed(stage, tmp_path, other_code), LogLevel="DEBUG")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert stage.http().get("/").json()["version"] == "9.9.9"
    assert stored(stage) == before


def test_a_failed_update_is_rolled_back_without_an_effect_on_callers(stage: Stage, tmp_path: Path) -> None:
    def broken(resources: dict[str, Any]) -> None:
        # It fails after the function has its new configuration and callers reach the new version.
        resources["Broken"] = {
            "Type": "AWS::SQS::Queue",
            "DependsOn": "ApiFunctionAliaslive",
            "Properties": {"VisibilityTimeout": 43_201},  # a second more than SQS accepts
        }

    before = stored(stage)
    deployed = stage.sam_deploy(changed(stage, tmp_path, broken), LogLevel="ERROR")
    assert deployed.returncode != 0
    assert "Broken" in deployed.stdout + deployed.stderr
    assert stage.status == "UPDATE_ROLLBACK_COMPLETE"
    assert live(stage)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    assert stored(stage) == before
    corrected = stage.sam_deploy(LogLevel="ERROR")  # the same update without the broken resource
    assert corrected.returncode == 0, corrected.stdout + corrected.stderr
    assert live(stage)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "ERROR"
    event = {**START, "created_at": "2023-12-02T00:00:00Z", "date": "2024-02-01"}
    assert stage.http("root").post("/event", json=event).json()["code"] == "accepted"


def destroy(stage: Stage, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.operate.destroy"],
        cwd=ROOT,
        env=stage.environment(STACK=STACK, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_protected_stage_is_not_destroyed(stage: Stage) -> None:
    before = stored(stage)
    assert "confirm with CONFIRM=" in destroy(stage).stderr
    refused = destroy(stage, CONFIRM=STACK)
    assert refused.returncode == 1
    assert "is protected: deploy energy-operations-test with ProtectData=false first" in refused.stderr
    assert stored(stage) == before


def test_a_destroyed_stage_leaves_no_data(stage: Stage) -> None:
    deployed = stage.sam_deploy(ProtectData="false")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    tables = {name for key, name in stage.outputs.items() if key.endswith("_table_name")}
    bucket = stage.outputs["export_bucket_name"]
    assert tables <= set(stage.cloud.client("dynamodb").list_tables()["TableNames"])
    completed = destroy(stage, CONFIRM=STACK)
    assert completed.returncode == 0, completed.stderr
    assert f"deleted the stack {STACK}" in completed.stdout
    assert not tables & set(stage.cloud.client("dynamodb").list_tables()["TableNames"])
    buckets = stage.cloud.client("s3").list_buckets()["Buckets"]
    assert bucket not in {found["Name"] for found in buckets}
