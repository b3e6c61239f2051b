"""`sam local` up to the door of Docker: SAM CLI's own code, on our template and samconfig.toml, beside a run."""

import copy
import json
import os
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.build.packaging import ROOT
from infra.build.template import Template, read
from tests.e2e.conftest import LocalRun

TEMPLATE = read(ROOT / "template.yaml")
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
EVENT = "tests/events/ingestion_batch.json"
INGEST = """
import json, sys, types
from functions.ingestion.handler import handler
print(json.dumps(handler(json.load(sys.stdin), types.SimpleNamespace(aws_request_id="one"))))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam local` reads of the checkout, in a folder of its own."""
    subprocess.run(["make", "--silent", ".venv-sam/synced"], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp("project")
    for file in ("template.yaml", "samconfig.toml", EVENT):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    return folder


@pytest.fixture(scope="module")
def outputs(project: Path) -> Iterator[dict[str, str]]:
    """Keep `make run` up, as the documentation asks for."""
    run = LocalRun(project / ".run")
    try:
        yield run.start()
    finally:
        run.stop()


def sam(project: Path, work: dict[str, Any]) -> Any:
    """Let SAM CLI do `work`, without credentials, as somebody who has never used it."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment |= {"HOME": str(project), "SAM_CLI_TELEMETRY": "0", "AWS_EC2_METADATA_DISABLED": "true"}
    script = [str(ROOT / ".venv-sam" / "bin" / "python"), str(Path(__file__).with_name("sam_cli.py"))]
    process = subprocess.run(
        script,
        input=json.dumps(work),
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def start_api(project: Path, requests: list[list[str]], *options: str) -> Any:
    return sam(project, {"commands": [["local", "start-api", *options]], "requests": requests})


@pytest.fixture(scope="module")
def invocations(project: Path, outputs: dict[str, str]) -> list[dict[str, Any]]:
    """What the container of each function would have been asked by `sam local invoke`."""
    commands = [["local", "invoke", function, "-e", EVENT] for function in FUNCTIONS]
    asked: list[dict[str, Any]] = sam(project, {"commands": commands, "requests": []})["asked"]
    return asked


def test_every_method_and_path_reaches_the_api_function(project: Path, outputs: dict[str, str]) -> None:
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    requests = [["GET", "/"], *([method, "/contract/1001/events"] for method in methods)]
    told = start_api(project, requests)
    assert told["statuses"] == [204] * len(requests)
    assert {asked["function"] for asked in told["asked"]} == {"ApiFunction"}
    events = [asked["event"] for asked in told["asked"]]
    assert {event["version"] for event in events} == {"2.0"}
    assert [[event["requestContext"]["http"]["method"], event["rawPath"]] for event in events] == requests


def test_each_function_is_found_with_its_handler_runtime_and_layer(invocations: list[dict[str, Any]]) -> None:
    expected = [
        (name, function["Handler"], "python3.13", ["DependencyLayer"]) for name, function in FUNCTIONS.items()
    ]
    found = [
        (asked["function"], asked["handler"], asked["runtime"], asked["layers"]) for asked in invocations
    ]
    assert found == expected


def test_a_container_is_told_what_the_deployed_function_is_told(
    project: Path, outputs: dict[str, str], invocations: list[dict[str, Any]]
) -> None:
    told = json.loads((project / ".run" / "sam-local.json").read_text())
    port = outputs["aws_endpoint_url"].rpartition(":")[2]
    for asked in invocations:
        # Lambda's own begin with AWS_; what is in the template and not in the file would be a logical id here.
        variables = {name: value for name, value in asked["variables"].items() if not name.startswith("AWS_")}
        endpoint, region = asked["variables"]["AWS_ENDPOINT_URL"], asked["variables"]["AWS_REGION"]
        assert {**variables, "AWS_ENDPOINT_URL": endpoint} == told[asked["function"]]
        assert (endpoint, region) == (f"http://host.docker.internal:{port}", outputs["aws_region"])
        assert "127.0.0.1" not in str(variables)
        assert asked["hosts"] == {"host.docker.internal": "host-gateway"}
        assert variables["CONTRACTS_TABLE"] == outputs["contracts_table_name"]


def test_what_a_container_is_told_is_enough_to_work_on_the_run(
    outputs: dict[str, str], invocations: list[dict[str, Any]]
) -> None:
    contract = json.dumps({"contract_number": "1001", "components": ["energy_supply"]}).encode()
    headers = {"Content-Type": "application/json"}
    api = outputs["api_url"]
    urllib.request.urlopen(urllib.request.Request(f"{api}/contract", contract, headers)).close()  # noqa: S310
    (asked,) = (asked for asked in invocations if asked["function"] == "IngestionFunction")
    # Here the host goes by another name.
    here = {
        name: value.replace("host.docker.internal", "127.0.0.1") for name, value in asked["variables"].items()
    }
    process = subprocess.run(
        [sys.executable, "-c", INGEST],
        input=json.dumps(asked["event"]),
        env={**here, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(process.stdout.splitlines()[-1]) == {"batchItemFailures": []}
    with urllib.request.urlopen(f"{api}/contract/1001/contract_timeline") as answer:  # noqa: S310
        assert json.load(answer)["components"] == {"energy_supply": {"start": "2024-01-01", "end": None}}


def functions_first(template: Template) -> None:
    resources = template["Resources"]
    template["Resources"] = {name: resources[name] for name in FUNCTIONS} | resources


def integration_of_the_alias(template: Template) -> None:
    properties = template["Resources"]["HttpApiIntegration"]["Properties"]
    properties["IntegrationUri"] = {"Ref": "ApiFunction.Alias"}


def test_the_api_is_found_only_when_it_stands_before_the_functions(
    project: Path, outputs: dict[str, str]
) -> None:
    assert "does not have any APIs" in start_api(project, [], "-t", seeded(project, functions_first))["error"]


def test_the_api_function_is_found_only_by_an_arn_in_the_integration(
    project: Path, outputs: dict[str, str]
) -> None:
    told = start_api(project, [["GET", "/health"]], "-t", seeded(project, integration_of_the_alias))
    assert (told["asked"], told["statuses"]) == ([], [502])


def seeded(project: Path, seed: Any) -> str:
    template = copy.deepcopy(TEMPLATE)
    seed(template)
    (project / "seeded.json").write_text(json.dumps(template))
    return "seeded.json"


def test_each_option_in_samconfig_is_one_that_its_command_has(project: Path) -> None:
    options = sam(project, {})
    everywhere = {option for known in options.values() for option in known}
    for environment, commands in tomllib.loads((ROOT / "samconfig.toml").read_text()).items():
        for command, sections in commands.items() if isinstance(commands, dict) else ():
            known = everywhere if command == "global" else options[command]
            assert set(sections["parameters"]) <= set(known), f"{environment}.{command}"
