"""CPU time of fresh processes, each of which starts one function and calls it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.stub import Item, Tables

_PROBE = Path(__file__).with_name("probe.py")
_LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Start:
    """A function to start, what it is called with and how often, and the items that AWS has then."""

    name: str
    handler: str
    path: Sequence[Path]
    event: Any
    items: Sequence[tuple[str, Item]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    watch_threads: bool = False
    day: int = 1
    """Of December 2024: when the events were created, all but the first."""


@dataclass(frozen=True)
class Run:
    """What one process took: CPU seconds until it was initialised, and CPU and wall seconds of each call."""

    init: float
    calls: list[float]
    waits: list[float]
    modules: int
    threads: int

    @property
    def cold(self) -> float:
        """Initialisation and the first call."""
        return self.init + self.calls[0]


Runs = dict[str, list[Run]]


def measure(
    starts: Sequence[Start],
    rounds: int,
    aws: tuple[str, Tables | None],
    progress: Callable[[str], None],
) -> Runs:
    """Start each function `rounds` times, alternately, after a run that is not counted."""
    found: Runs = {start.name: [] for start in starts}
    for number in range(rounds + 1):
        progress(f"fresh processes, round {number + 1} of {rounds + 1}")
        for start in starts:
            run = run_once(start, aws)
            if number > 0:
                found[start.name].append(run)
    return found


def run_once(start: Start, aws: tuple[str, Tables | None]) -> Run:
    """Run a function in a process of its own.

    Raises:
        RuntimeError: it failed, or answered an error.
    """
    endpoint, tables = aws
    if tables is not None:
        tables.reset(start.items)
    done = subprocess.run(
        _command_of(start),
        env=_environment_of(start, endpoint),
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{start.name}: {done.stderr.strip() or done.stdout.strip()}")
    answer = json.loads(done.stdout)
    return Run(
        answer["cpu"][0],
        [after - before for before, after in pairwise(answer["cpu"])],
        [after - before for before, after in pairwise(answer["wall"])],
        answer["modules"],
        answer["threads"],
    )


Call = Callable[[int], list[float]]
"""Calls a function so many times more; returns the CPU seconds of each call."""


@contextmanager
def running(start: Start, endpoint: str) -> Iterator[Call]:
    """Keep a function in a process of its own, so that several can take turns; yields what calls it.

    What it raises is a RuntimeError: the function failed, or answered an error.
    """
    process = subprocess.Popen(
        _command_of(start, in_turns=True),
        env=_environment_of(start, endpoint),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    given, answered, failed = process.stdin, process.stdout, process.stderr

    def call(count: int) -> list[float]:
        given.write(f"{count}\n")
        given.flush()
        if not (line := answered.readline()):
            raise RuntimeError(f"{start.name}: {failed.read().strip()}")
        return [after - before for before, after in pairwise(json.loads(line)["cpu"])]

    with process:
        try:
            yield call
        finally:
            process.kill()


def _command_of(start: Start, *, in_turns: bool = False) -> list[str]:
    order = {
        "handler": start.handler,
        "event": start.event,
        "count": start.count,
        "watch_threads": start.watch_threads,
        "day": start.day,
        "in_turns": in_turns,
    }
    return [sys.executable, "-sSP", str(_PROBE), json.dumps(order)]


def _environment_of(start: Start, endpoint: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": _path(start.path),
        "PYTHONDONTWRITEBYTECODE": "1",  # a function's folder is read-only on Lambda
        "AWS_ENDPOINT_URL": endpoint,
        **start.environment,
    }


def _path(folders: Iterable[Path]) -> str:
    return os.pathsep.join(map(str, folders))
