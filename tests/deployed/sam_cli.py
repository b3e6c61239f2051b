"""SAM CLI without Docker: instead of starting containers, this program records the calls that they would receive.

SAM CLI's own Python runs it, with {"commands": [[argument, …], …], "requests": [[method, path], …]} on stdin; the
requests go to the API of `local start-api`. Without commands it prints the options of each command.
"""

import json
import sys
from importlib import import_module
from typing import Any
from unittest.mock import MagicMock

from samcli.cli.main import cli
from samcli.commands.exceptions import UserException
from samcli.local.apigw.local_apigw_service import LocalApigwService
from samcli.local.docker.container_client_factory import ContainerClientFactory
from samcli.local.lambdafn.runtime import LambdaRuntime

_COMMANDS = {
    "build": "build.command",
    "deploy": "deploy.command",
    "local_invoke": "local.invoke.cli",
    "local_start_api": "local.start_api.cli",
    "sync": "sync.command",
    "validate": "validate.validate",
}


def options() -> dict[str, list[str]]:
    modules = {name: import_module(f"samcli.commands.{module}") for name, module in _COMMANDS.items()}
    return {name: [option.name for option in module.cli.params] for name, module in modules.items()}


def run(commands: list[list[str]], requests: list[list[str]]) -> dict[str, Any]:
    invocations: list[dict[str, Any]] = []
    statuses: list[int] = []

    def record(_runtime: object, function: Any, event: str, *_: object, **given: Any) -> None:
        invocations.append(
            {
                "function": function.name,
                "handler": function.handler,
                "runtime": function.runtime,
                "architecture": function.architecture,
                "layers": [layer.name for layer in function.layers],
                "variables": function.env_vars.resolve(),
                "hosts": given["extra_hosts"],
                "event": json.loads(event),
            }
        )
        given["stdout"].write_str(json.dumps({"statusCode": 204}))

    def serve(service: LocalApigwService) -> None:
        caller = service._app.test_client()
        statuses.extend(caller.open(path, method=method).status_code for method, path in requests)

    ContainerClientFactory.create_client = staticmethod(MagicMock)
    LambdaRuntime.invoke = record
    LocalApigwService.run = serve
    error = None
    try:
        for command in commands:
            cli.main(args=command, standalone_mode=False)
    except UserException as refused:
        error = refused.message
    return {"invocations": invocations, "statuses": statuses, "error": error}


if __name__ == "__main__":
    work = json.load(sys.stdin)
    result = run(**work) if work else options()
    sys.stdout.write(f"\n{json.dumps(result)}\n")
