"""`make import FILE=`: sends the contracts of a file, and their events, to a running service.

The file is an export of contracts in the format ndjson, or written by hand. The import may be stopped and run
again: contracts are recognised by their number, events by their id. Credentials come from the environment:
TOKEN, an access token, or API_KEY.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from infra.commands.command_error import CommandError
from infra.operate.command import required_variable
from infra.operate.import_lines import Payload
from infra.operate.import_session import ImportSession, Refused, Send

_ANSWER_SECONDS = 60
_ATTEMPTS = 10
_LONGEST_PAUSE_SECONDS = 10.0
_RETRYABLE = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)


def import_file(api: str, environment: Mapping[str, str], console: Console) -> None:
    """Send the file that FILE names to the service at `api`; print the counts, and the file with what was refused.

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
            count = _send_file(file, path.stat().st_size, rejects, sender(api, environment), console)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error
    if count:
        print(f"{count:,} refused, with their reasons in {refused}")
    else:
        refused.unlink()


def _send_file(file: IO[str], size: int, rejects: IO[str], send: Send, console: Console) -> int:
    count = 0

    def refuse(refusal: Refused) -> None:
        nonlocal count
        count += 1
        rejects.write(json.dumps(refusal) + "\n")

    session = ImportSession(send, refuse)
    columns = (TextColumn("import"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in file:
            read += len(line.encode())
            yield line

    with Progress(*columns, console=console) as bar:
        task = bar.add_task("import", total=size)
        for _ in session.run(lines()):
            bar.update(task, completed=read)
    for name, counts in (("contracts", session.contracts), ("events", session.events)):
        text = ", ".join(f"{number:,} {code}" for code, number in sorted(counts.items()))
        print(f"{name}: {text or 'none'}")
    return count


def sender(api: str, environment: Mapping[str, str]) -> Send:
    """Return a function that posts to the service, with retries."""
    headers = {"Content-Type": "application/json"}
    if environment.get("TOKEN"):
        headers["Authorization"] = f"Bearer {environment['TOKEN']}"
    elif environment.get("API_KEY"):
        headers["X-API-Key"] = environment["API_KEY"]

    def send(path: str, body: Payload) -> Payload:
        data = json.dumps(body).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            request = urllib.request.Request(api + path, data, headers)  # noqa: S310 - the caller's own service
            try:
                with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
                    content: Payload = json.loads(answer.read())
                    return content
            except urllib.error.HTTPError as error:
                if error.code not in _RETRYABLE or attempt == _ATTEMPTS:
                    raise CommandError(f"{path}: {error.code} {_message_of(error)}") from error
                time.sleep(_pause(error.headers.get("Retry-After"), attempt))
            except OSError as error:
                if attempt == _ATTEMPTS:
                    raise CommandError(f"the service does not answer at {api}: {error}") from error
                time.sleep(_pause(None, attempt))
        raise AssertionError("the last attempt returns or raises")

    return send


def _pause(retry_after: str | None, attempt: int) -> float:
    asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.25 * 2**attempt
    return min(asked, _LONGEST_PAUSE_SECONDS)


def _message_of(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, LookupError, TypeError):
        return str(error.reason)


def run(api: str) -> int:
    """Import into the service at `api`, print an error as one line, and return the exit code."""
    try:
        import_file(api.rstrip("/"), os.environ, Console())
    except CommandError as error:
        print(f"error: {error}; what was sent is stored; run it again to send the rest", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run it again to send the rest", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(run(os.environ["API"]))
