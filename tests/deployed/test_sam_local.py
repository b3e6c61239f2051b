"""`sam local` without Docker: SAM CLI's own code on our template and samconfig.toml, while `make run` runs."""

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
print(json.dumps(handler(json.load(sys.stdin), types.SimpleNamespace(aws_request_id="one", get_remaining_time_in_millis=lambda: 30_000))))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the checkout that `sam local` reads, in a separate folder."""
    folder = tmp_path_factory.mktemp("project")
    for file in ("template.yaml", "samconfig.toml", EVENT):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    return folder


@pytest.fixture(scope="module")
def outputs(project: Path) -> Iterator[dict[str, str]]:
    """Run `make run` during the tests, as the documentation requires."""
    run = LocalRun(project / ".run")
    try:
        yield run.start()
    finally:
        run.stop()


def sam(project: Path, work: dict[str, Any]) -> Any:
    """Let SAM CLI do `work` in a shell that has read aws.env, with an empty home folder."""
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    if (exported := project / ".run" / "aws.env").exists():
        lines = exported.read_text().splitlines()
        environment |= dict(line.removeprefix("export ").split("=", 1) for line in lines)
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
    """The call that the container of each function would receive from `sam local invoke`."""
    commands = [["local", "invoke", function, "-e", EVENT] for function in FUNCTIONS]
    recorded: list[dict[str, Any]] = sam(project, {"commands": commands, "requests": []})["invocations"]
    return recorded


def test_every_method_and_path_reaches_the_api_function(project: Path, outputs: dict[str, str]) -> None:
    methods = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
    requests = [["GET", "/"], *([method, "/contract/1001/events"] for method in methods)]
    result = start_api(project, requests)
    assert result["statuses"] == [204] * len(requests)
    assert {invocation["function"] for invocation in result["invocations"]} == {"ApiFunction"}
    events = [invocation["event"] for invocation in result["invocations"]]
    assert {event["version"] for event in events} == {"2.0"}
    assert [[event["requestContext"]["http"]["method"], event["rawPath"]] for event in events] == requests


def test_each_function_is_found_with_its_handler_runtime_and_layer(invocations: list[dict[str, Any]]) -> None:
    expected = [
        (name, function["Handler"], "python3.13", ["DependencyLayer"]) for name, function in FUNCTIONS.items()
    ]
    found = [
        (invocation["function"], invocation["handler"], invocation["runtime"], invocation["layers"])
        for invocation in invocations
    ]
    assert found == expected


def test_a_container_gets_the_variables_of_the_deployed_function(
    project: Path, outputs: dict[str, str], invocations: list[dict[str, Any]]
) -> None:
    expected = json.loads((project / ".run" / "sam-local.json").read_text())
    port = outputs["aws_endpoint_url"].rpartition(":")[2]
    for invocation in invocations:
        # Lambda's own variables start with AWS_. A variable of the template that the file lacks would be a logical id.
        variables = {
            name: value for name, value in invocation["variables"].items() if not name.startswith("AWS_")
        }
        endpoint, region = invocation["variables"]["AWS_ENDPOINT_URL"], invocation["variables"]["AWS_REGION"]
        assert {**variables, "AWS_ENDPOINT_URL": endpoint} == expected[invocation["function"]]
        assert invocation["variables"]["AWS_SESSION_TOKEN"] == outputs["aws_session_token"]
        assert (endpoint, region) == (f"http://host.docker.internal:{port}", outputs["aws_region"])
        if invocation["function"] == "ApiFunction":
            assert variables.pop("ALLOWED_HOSTS").split(",") == [
                "127.0.0.1",
                "localhost",
                "host.docker.internal",
            ]
        assert "127.0.0.1" not in str(variables)
        assert invocation["hosts"] == {"host.docker.internal": "host-gateway"}
        assert variables["CONTRACTS_TABLE"] == outputs["contracts_table_name"]


def test_the_variables_of_a_container_are_sufficient_to_work_with_the_run(
    outputs: dict[str, str], invocations: list[dict[str, Any]]
) -> None:
    contract = json.dumps({"contract_number": "1001", "components": ["energy_supply"]}).encode()
    headers = {"Content-Type": "application/json"}
    api = outputs["api_url"]
    urllib.request.urlopen(urllib.request.Request(f"{api}/contract", contract, headers)).close()  # noqa: S310
    (invocation,) = (one for one in invocations if one["function"] == "IngestionFunction")
    # Outside of a container the host has another name.
    variables = {
        name: value.replace("host.docker.internal", "127.0.0.1")
        for name, value in invocation["variables"].items()
    }
    process = subprocess.run(
        [sys.executable, "-c", INGEST],
        input=json.dumps(invocation["event"]),
        env={**variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(process.stdout.splitlines()[-1]) == {"batchItemFailures": []}
    with urllib.request.urlopen(f"{api}/contract/1001/contract_timeline") as answer:  # noqa: S310
        assert json.load(answer)["components"] == {"energy_supply": {"start": "2024-01-01", "end": None}}


def put_functions_first(template: Template) -> None:
    resources = template["Resources"]
    template["Resources"] = {name: resources[name] for name in FUNCTIONS} | resources


def refer_to_the_alias(template: Template) -> None:
    properties = template["Resources"]["HttpApiIntegration"]["Properties"]
    properties["IntegrationUri"] = {"Ref": "ApiFunction.Alias"}


def test_the_api_is_found_only_if_the_template_defines_it_before_the_functions(
    project: Path, outputs: dict[str, str]
) -> None:
    result = start_api(project, [], "-t", changed_template(project, put_functions_first))
    assert "does not have any APIs" in result["error"]


def test_the_api_function_is_found_only_by_an_arn_in_the_integration(
    project: Path, outputs: dict[str, str]
) -> None:
    result = start_api(project, [["GET", "/health"]], "-t", changed_template(project, refer_to_the_alias))
    assert (result["invocations"], result["statuses"]) == ([], [502])


def changed_template(project: Path, change: Any) -> str:
    template = copy.deepcopy(TEMPLATE)
    change(template)
    (project / "changed.json").write_text(json.dumps(template))
    return "changed.json"


def test_the_architecture_of_a_container_is_an_option_of_sam_local(
    project: Path, outputs: dict[str, str]
) -> None:
    invoke = ["local", "invoke", "ApiFunction", "-e", EVENT]
    arm = [*invoke, "--parameter-overrides", "Stage=local AuthMode=open Architecture=arm64"]
    found = sam(project, {"commands": [invoke, arm], "requests": []})["invocations"]
    assert [invocation["architecture"] for invocation in found] == ["x86_64", "arm64"]


def test_no_registry_is_asked_for_an_image_that_is_there() -> None:
    default = tomllib.loads((ROOT / "samconfig.toml").read_text())["default"]
    for command in ("local_start_api", "local_invoke"):
        assert default[command]["parameters"]["skip_pull_image"] is True


def test_each_option_in_samconfig_exists_in_its_command(project: Path) -> None:
    options = sam(project, {})
    everywhere = {option for known in options.values() for option in known}
    for environment, commands in tomllib.loads((ROOT / "samconfig.toml").read_text()).items():
        for command, sections in commands.items() if isinstance(commands, dict) else ():
            known = everywhere if command == "global" else options[command]
            assert set(sections["parameters"]) <= set(known), f"{environment}.{command}"
