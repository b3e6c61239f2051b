"""`make import FILE=`: sends the contracts of a file, and their events, to a running service.

The file is an export of contracts in the format ndjson, or written by hand. The import may be stopped and run
again: contracts are recognised by their number, events by their id. Credentials come from the environment:
TOKEN, an access token, or API_KEY.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from rich.console import Console

from infra.commands.command_error import CommandError
from infra.commands.progress import progress_bar
from infra.commands.run_command import run_command
from infra.commands.service_client import ServiceClient
from infra.operate.command import required_variable
from infra.operate.import_session import ImportSession, Refused, Send


def import_file(api: str, environment: Mapping[str, str], console: Console) -> int:
    """Send the file that FILE names to the service at `api`; print the counts, and the file with what was refused; return 0.

    Raises:
        CommandError: the file or the credentials are not valid, or the service does not answer.
    """
    path = Path(required_variable(environment, "FILE", "the file to import"))
    refused = path.with_name(path.name + ".refused")
    try:
        with (
            path.open(encoding="utf-8", newline="\n") as file,
            refused.open("w", encoding="utf-8") as rejects,
        ):
            count = _send_file(
                file, path.stat().st_size, rejects, ServiceClient.of(api, environment).call, console
            )
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        if refused.is_file() and not refused.stat().st_size:
            refused.unlink()
    if count:
        print(f"{count:,} refused, with their reasons in {refused}")
    return 0


def _send_file(file: IO[str], size: int, rejects: IO[str], send: Send, console: Console) -> int:
    count = 0

    def refuse(refusal: Refused) -> None:
        nonlocal count
        count += 1
        rejects.write(json.dumps(refusal) + "\n")

    session = ImportSession(send, refuse)
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in file:
            read += len(line.encode())
            yield line

    with progress_bar(console) as bar:
        task = bar.add_task("import", total=size)
        try:
            for _ in session.run(lines()):
                bar.update(task, completed=read)
        except CommandError as error:
            raise CommandError(f"{error}; what was sent is stored, run it again to do the rest") from error
    for name, counts in (("contracts", session.contracts), ("events", session.events)):
        text = ", ".join(f"{number:,} {code}" for code, number in sorted(counts.items()))
        print(f"{name}: {text or 'none'}")
    return count


def run(api: Callable[[], str]) -> int:
    """Import into the service that `api` finds; return the exit code."""
    return run_command(
        lambda: import_file(api(), os.environ, Console()),
        interrupted="interrupted: run it again to do the rest",
    )


if __name__ == "__main__":
    sys.exit(run(lambda: os.environ["API"]))
