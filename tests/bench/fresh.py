"""CPU time of fresh processes, each of which starts one function and calls it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.stub import Item, Tables

_PROBE = Path(__file__).with_name("probe.py")
_LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Start:
    """A function to start, what it is called with, and the items that AWS has then."""

    name: str
    handler: str
    path: Sequence[Path]
    events: Sequence[Any]
    items: Sequence[tuple[str, Item]] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    snapshot: bool = False


@dataclass
class Times:
    """What the runs of one function took: CPU seconds until it is initialised, and of each call."""

    init: list[float] = field(default_factory=list)
    calls: list[list[float]] = field(default_factory=list)
    modules: int = 0

    @property
    def totals(self) -> list[float]:
        """Initialisation and the first call, by run."""
        return [init + calls[0] for init, calls in zip(self.init, self.calls, strict=True)]

    @property
    def first_calls(self) -> list[float]:
        """The first call alone, by run."""
        return [calls[0] for calls in self.calls]


def measure(
    starts: Sequence[Start], rounds: int, aws: tuple[str, Tables], progress: Callable[[str], None]
) -> dict[str, Times]:
    """Start each function `rounds` times, alternately, after one run that is not counted."""
    found = {start.name: Times() for start in starts}
    for number in range(rounds + 1):
        progress(f"fresh processes, round {number} of {rounds}")
        for start in starts:
            seconds, modules = _run(start, aws)
            if number:
                found[start.name].init.append(seconds[0])
                found[start.name].calls.append(_differences(seconds))
                found[start.name].modules = modules
    return found


def _differences(seconds: Sequence[float]) -> list[float]:
    return [after - before for before, after in zip(seconds, seconds[1:], strict=False)]


def _run(start: Start, aws: tuple[str, Tables]) -> tuple[list[float], int]:
    endpoint, tables = aws
    tables.reset(start.items)
    order = {"handler": start.handler, "events": start.events, "snapshot": start.snapshot}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": _path(start.path),
        "PYTHONDONTWRITEBYTECODE": "1",  # a function's folder is read-only on Lambda
        "AWS_ENDPOINT_URL": endpoint,
        **start.environment,
    }
    done = subprocess.run(
        [sys.executable, "-sSP", str(_PROBE), json.dumps(order)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{start.name}: {done.stderr.strip() or done.stdout.strip()}")
    answer = json.loads(done.stdout)
    return answer["seconds"], answer["modules"]


def _path(folders: Iterable[Path]) -> str:
    return os.pathsep.join(map(str, folders))
