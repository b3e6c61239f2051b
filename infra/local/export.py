"""Requests an export from a running service, shows its progress, and saves the file.

`make export METER=123 START=2024-01-01T00:00:00Z END=2024-02-01T00:00:00Z`; with RESOLUTION=day and
TZ=Europe/Berlin, as arguments of make, summed up by local day.
"""

import argparse
import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

_ASK_EVERY_SECONDS = 0.2
_ANSWER_SECONDS = 60


class ExportError(Exception):
    """What went wrong, in one line for the person at the terminal."""


def main(arguments: list[str] | None = None) -> int:
    """Export what the command line names."""
    parser = argparse.ArgumentParser(prog="export", description="Save the readings of a meter as CSV.")
    parser.add_argument("meter", help="id of a smart meter, such as 123")
    parser.add_argument("start", help="first instant, such as 2024-01-01T00:00:00Z")
    parser.add_argument("end", help="instant after the last")
    parser.add_argument("--folder", type=Path, default=Path(), help="where to save the file")
    parser.add_argument("--resolution", default="raw", help="raw, quarter_hour, hour, day or month")
    parser.add_argument("--tz", help="time zone of the periods, such as Europe/Berlin; else the meter's")
    given = parser.parse_args(arguments)
    console = Console()
    try:
        api = api_url(Path(os.environ.get("RUN_DIR") or ".run"))
        request = {"smart_meter_id": given.meter, "start_datetime": given.start, "end_datetime": given.end}
        request |= {"resolution": given.resolution} | ({"tz": given.tz} if given.tz else {})
        job_id = json.loads(call(f"{api}/api/export/csv", request))["job_id"]
        info = wait_for(api, job_id, console)
        content = download(api, info)
        path = given.folder / info["filename"]
        path.write_bytes(content)
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(
        f"{path}: {info['record_count']:,} {'readings' if given.resolution == 'raw' else 'periods'}, {len(content):,} bytes"
    )
    return 0


def api_url(run_dir: Path) -> str:
    """Return the URL of the service whose data is in `run_dir`."""
    try:
        url: str = json.loads((run_dir / "outputs.json").read_text())["api_url"]
    except FileNotFoundError as error:
        raise ExportError(f"nothing runs with RUN_DIR={run_dir}: start it with `make run`") from error
    return url


def call(url: str, body: dict[str, Any] | None = None) -> bytes:
    """Send a request to the service, follow redirects, and return the answer."""
    request = urllib.request.Request(  # noqa: S310 - the address is the service's own
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            content: bytes = answer.read()
    except urllib.error.HTTPError as error:
        raise ExportError(_message_of(error)) from error
    except OSError as error:
        raise ExportError(f"the service does not answer at {url}: is `make run` up?") from error
    return content


def _message_of(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["message"])
    except (ValueError, LookupError, TypeError):
        return f"the service answers {error.code}"


def download(api: str, info: dict[str, Any]) -> bytes:
    """Return the file of a completed job, after checking its SHA-256."""
    content = call(api + info["download_url"])
    if hashlib.sha256(content).hexdigest() != info["sha256"]:
        raise ExportError("the downloaded file does not have the expected SHA-256: try again")
    return content


def wait_for(api: str, job_id: str, console: Console) -> dict[str, Any]:
    """Show the progress of a job until it has completed, and return the description of its file."""
    columns = (TextColumn("export"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("export", total=100)
        while True:
            job = json.loads(call(f"{api}/api/export/status/{job_id}"))
            if job["status"] == "completed":
                bar.update(task, completed=100)
                info: dict[str, Any] = job["file_info"]
                return info
            if job["status"] != "pending":
                raise ExportError(job.get("error", job)["message"])
            bar.update(task, completed=job["progress"])
            time.sleep(_ASK_EVERY_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
