"""`make export`: asks a running service for the readings of a meter, shows the progress, and saves the file.

METER=123 START=2024-01-01T00:00:00Z END=2024-02-01T00:00:00Z; with RESOLUTION=day and TZ=Europe/Berlin, as arguments
of make, summed up by local day. Credentials come from the environment: TOKEN, an access token, or API_KEY.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from rich.console import Console
from rich.progress import DownloadColumn

from infra.commands.command_error import CommandError
from infra.commands.progress import progress_bar
from infra.commands.run_command import run_command
from infra.commands.service_client import Payload, ServiceClient
from infra.operate.command import required_variable

_ASK_EVERY_SECONDS = 0.2
_CHUNK_BYTES = 64 * 1024
_RAW = "raw"


def export(api: str, environment: Mapping[str, str], console: Console) -> int:
    """Save the readings that the variables name from the service at `api`; print what was saved where.

    Raises:
        CommandError: a variable is missing, the folder cannot be written to, or the service refuses; no file is left.
    """
    order = _order(environment)
    folder = Path(environment.get("FOLDER") or ".")
    service = ServiceClient.of(api, environment)
    with _unfinished_file(folder) as (path, file):
        # With a key, so that an answer that was lost and is asked for again makes no second job.
        job = service.call("/api/export/csv", order, {"Idempotency-Key": uuid4().hex})
        info = _await(service, job["job_id"], console)
        _download(service, info, file, console)
        saved = path.replace(folder / Path(info["filename"]).name)
    what = "readings" if order.get("resolution", _RAW) == _RAW else "periods"
    print(f"{saved}: {info['record_count']:,} {what}, {info['file_size_bytes']:,} bytes")
    return 0


def _order(environment: Mapping[str, str]) -> Payload:
    order = {
        "smart_meter_id": required_variable(environment, "METER", "the id of a smart meter, such as 123"),
        "start_datetime": required_variable(
            environment, "START", "the first instant, such as 2024-01-01T00:00:00Z"
        ),
        "end_datetime": required_variable(environment, "END", "the instant after the last"),
    }
    # TZ itself is often set for other reasons: the Makefile passes it on only as its own argument.
    optional = {"resolution": environment.get("RESOLUTION"), "tz": environment.get("EXPORT_TZ")}
    return order | {name: value for name, value in optional.items() if value}


@contextmanager
def _unfinished_file(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Create a file in `folder` for the download; it is deleted unless the block has renamed it."""
    path = folder / f".export-{uuid4().hex}.part"
    try:
        file = path.open("xb")
    except OSError as error:
        raise CommandError(f"FOLDER={folder} cannot be written to: {error.strerror}") from error
    try:
        with file:
            yield path, file
    except OSError as error:
        raise CommandError(f"FOLDER={folder}: the file cannot be saved: {error.strerror}") from error
    finally:
        path.unlink(missing_ok=True)


def _await(service: ServiceClient, job_id: str, console: Console) -> Payload:
    """Show the progress of a job until it has completed, and return the description of its file."""
    with progress_bar(console) as bar:
        task = bar.add_task("export", total=100)
        while True:
            job = service.call(f"/api/export/status/{job_id}")
            if job["status"] == "completed":
                bar.update(task, completed=100)
                info: Payload = job["file_info"]
                return info
            if job["status"] != "pending":
                raise CommandError(job.get("error", job)["message"])
            bar.update(task, completed=job["progress"])
            time.sleep(_ASK_EVERY_SECONDS)


def _download(service: ServiceClient, info: Payload, file: BinaryIO, console: Console) -> None:
    """Write the file of a completed job to `file`, and check its SHA-256."""
    digest = hashlib.sha256()
    with progress_bar(console, DownloadColumn()) as bar, service.download(info["download_url"]) as answer:
        task = bar.add_task("download", total=info["file_size_bytes"])
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            bar.advance(task, len(chunk))
    if digest.hexdigest() != info["sha256"]:
        raise CommandError("the downloaded file does not have the expected SHA-256: try again")
    file.flush()


def run(api: Callable[[], str]) -> int:
    """Export from the service that `api` finds; return the exit code."""
    return run_command(lambda: export(api(), os.environ, Console()))


if __name__ == "__main__":
    sys.exit(run(lambda: os.environ["API"]))
