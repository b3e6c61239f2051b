"""What the commands on a deployed stage share: reading their variables, asking for confirmation, printing steps."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from infra.commands.command_error import CommandError
from infra.commands.run_command import run_command

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def required_variable(environment: Mapping[str, str], variable: str, meaning: str) -> str:
    """Return the value of `variable`; CommandError gives its meaning if it is missing or empty."""
    value = environment.get(variable)
    if not value:
        raise CommandError(f"{variable}= is required: {meaning}")
    return value


def names_in(environment: Mapping[str, str], variable: str) -> list[str]:
    """Return the names in a variable, which are separated by commas."""
    return [name for part in environment.get(variable, "").split(",") if (name := part.strip())]


def require_confirmation(environment: Mapping[str, str], name: str, consequence: str) -> None:
    """Return only if CONFIRM repeats `name`; otherwise CommandError states the consequence."""
    if environment.get("CONFIRM") != name:
        raise CommandError(f"{consequence}: confirm with CONFIRM={name}")


def stack_outputs(stacks: "CloudFormationClient", stack: str) -> dict[str, str]:
    """Return the outputs of a stack by their names in snake_case; CommandError if it is not a stack of this service."""
    described = stacks.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {
        snake_case(output["OutputKey"]): output["OutputValue"] for output in described.get("Outputs", [])
    }
    if "contracts_table_name" not in outputs:
        raise CommandError(f"the stack {stack} is not a stack of this service, or its creation failed")
    return outputs


def snake_case(name: str) -> str:
    """Turn `ContractsTableName` into `contracts_table_name`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def run_steps(steps: Callable[[], Iterable[str]]) -> int:
    """Print each step when it is done, and an error as one line; return the exit code."""

    def run() -> int:
        for step in steps():
            print(step, flush=True)
        return 0

    return run_command(run, interrupted="interrupted: the steps printed above are done")
