"""What commands on a deployed stage have in common: whom they are about, and that somebody means it."""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from infra.commands.command_error import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


def required_variable(environment: Mapping[str, str], variable: str, meaning: str) -> str:
    """Return what a variable says; CommandError says what is missing where it says nothing."""
    value = environment.get(variable)
    if not value:
        raise CommandError(f"{variable}= names {meaning}")
    return value


def names_in(environment: Mapping[str, str], variable: str) -> list[str]:
    """Return the names that a variable gives, with commas between them."""
    return [name for part in environment.get(variable, "").split(",") if (name := part.strip())]


def confirmed(environment: Mapping[str, str], name: str, consequence: str) -> None:
    """Go on only if CONFIRM repeats `name`; CommandError tells the consequence."""
    if environment.get("CONFIRM") != name:
        raise CommandError(f"{consequence}: say so with CONFIRM={name}")


def outputs_of(stacks: "CloudFormationClient", stack: str) -> dict[str, str]:
    """Return the outputs of a stack under names in snake_case; CommandError where it is not of this service."""
    described = stacks.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {
        snake_case(output["OutputKey"]): output["OutputValue"] for output in described.get("Outputs", [])
    }
    if "contracts_table_name" not in outputs:
        raise CommandError(f"the stack {stack} is none of this service, or never came up")
    return outputs


def snake_case(name: str) -> str:
    """Turn `ContractsTableName` into `contracts_table_name`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def run_steps(steps: Callable[[], Iterable[str]]) -> int:
    """Print each step as it is done, and what goes wrong as one line; returns the exit code."""
    try:
        for step in steps():
            print(step, flush=True)
    except (CommandError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("broken off: what is printed above is done", file=sys.stderr)
        return 130
    return 0
