"""How a command ends: what goes wrong is one line for the person who typed it."""

import sys
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from infra.commands.command_error import CommandError

_INTERRUPTED = 130


def run_command(command: Callable[[], int], *, interrupted: str = "interrupted") -> int:
    """Run a command and return its exit code; an expected error, or `interrupted`, is printed as one line."""
    try:
        return command()
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return _INTERRUPTED
    except (CommandError, ClientError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
