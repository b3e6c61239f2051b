"""What happens to a running stage: updates, broken updates, and its end."""

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
    """A contract with a history, which has to survive all that follows."""
    root = stage.http("root")
    created = root.post("/contract", json={"contract_number": NUMBER, "components": ["energy_supply"]})
    assert created.status_code == 201
    assert root.post("/event", json=START).json()["code"] == "accepted"


def known(stage: Stage) -> Any:
    """Return what the service knows of the contract, asked with a token of before the update."""
    root = stage.http("root")
    answers = [root.get(f"/contract/{NUMBER}{what}") for what in ("", "/contract_timeline", "/events")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    return [answer.json() for answer in answers]


def live(stage: Stage) -> dict[str, Any]:
    """Return the configuration of the version of the API that callers reach."""
    answer: dict[str, Any] = stage.cloud.client("lambda").get_function_configuration(
        FunctionName=stage.outputs["api_function_name"], Qualifier="live"
    )
    return answer


def changed(stage: Stage, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return a copy of the build with a change in its template."""
    copy = folder / "build"
    shutil.copytree(stage.build, copy)
    template = copy / "template.yaml"
    text = template.read_text()
    # SAM writes the template with long forms only, so that any reader of YAML reads it.
    read = yaml.safe_load(text)
    change(read["Resources"])
    template.write_text(json.dumps(read))
    return copy


def test_another_parameter_alone_reaches_callers_and_loses_nothing(stage: Stage) -> None:
    before, version = known(stage), live(stage)["Version"]
    assert live(stage)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "INFO"
    deployed = stage.sam_deploy(LogLevel="DEBUG")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert stage.status == "UPDATE_COMPLETE"
    assert live(stage)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    assert live(stage)["Version"] != version
    assert known(stage) == before


def test_the_same_again_changes_nothing(stage: Stage) -> None:
    version = live(stage)["Version"]
    deployed = stage.sam_deploy(LogLevel="DEBUG")
    assert "No changes to deploy" in deployed.stdout + deployed.stderr
    assert live(stage)["Version"] == version


def test_other_code_reaches_callers_and_loses_nothing(stage: Stage, tmp_path: Path) -> None:
    def other_code(resources: dict[str, Any]) -> None:
        package = tmp_path / "build/ApiFunction/functions/api"
        (package / "__init__.py").write_text('VERSION = "9.9.9"\n')
        for compiled in package.glob("__pycache__/__init__.*"):
            compiled.unlink()

    before = known(stage)
    deployed = stage.sam_deploy(changed(stage, tmp_path, other_code), LogLevel="DEBUG")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert stage.http().get("/").json()["version"] == "9.9.9"
    assert known(stage) == before


def test_a_broken_update_is_taken_back_and_callers_notice_nothing(stage: Stage, tmp_path: Path) -> None:
    def broken(resources: dict[str, Any]) -> None:
        # The function has its new configuration, and callers a new version, when this fails.
        resources["Broken"] = {
            "Type": "AWS::SQS::Queue",
            "DependsOn": "ApiFunctionAliaslive",
            "Properties": {"VisibilityTimeout": 43_201},  # a second more than SQS takes
        }

    before = known(stage)
    deployed = stage.sam_deploy(changed(stage, tmp_path, broken), LogLevel="ERROR")
    assert deployed.returncode != 0
    assert "Broken" in deployed.stdout + deployed.stderr
    assert stage.status == "UPDATE_ROLLBACK_COMPLETE"
    assert live(stage)["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    assert known(stage) == before
    mended = stage.sam_deploy(LogLevel="ERROR")  # the same but for what was broken
    assert mended.returncode == 0, mended.stdout + mended.stderr
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
    before = known(stage)
    assert "say so with CONFIRM=" in destroy(stage).stderr
    refused = destroy(stage, CONFIRM=STACK)
    assert refused.returncode == 1
    assert "is protected: deploy energy-operations-test with ProtectData=false first" in refused.stderr
    assert known(stage) == before


def test_the_end_of_a_stage_leaves_none_of_its_data(stage: Stage) -> None:
    deployed = stage.sam_deploy(ProtectData="false")
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    tables = {name for key, name in stage.outputs.items() if key.endswith("_table_name")}
    bucket = stage.outputs["export_bucket_name"]
    assert tables <= set(stage.cloud.client("dynamodb").list_tables()["TableNames"])
    gone = destroy(stage, CONFIRM=STACK)
    assert gone.returncode == 0, gone.stderr
    assert f"deleted the stack {STACK}" in gone.stdout
    assert not tables & set(stage.cloud.client("dynamodb").list_tables()["TableNames"])
    buckets = stage.cloud.client("s3").list_buckets()["Buckets"]
    assert bucket not in {found["Name"] for found in buckets}
