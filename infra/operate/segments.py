"""Work on every page of a table, in segments side by side; where each is stands in a file, so that a next run goes on."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from infra.commands.command_error import CommandError
from infra.operate.table_copies import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SEGMENTS = 16
_THREADS = 8  # more would wait for each other in one process
_REPORT_SECONDS = 5.0


@dataclass
class Places:
    """Where the segments of each phase are, in a file that is used only by a run with the same `identity`."""

    path: Path
    identity: Sequence[str]
    phases: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, path: Path, identity: Sequence[str]) -> "Places":
        """Read the file of an interrupted run; CommandError if none can be written."""
        places = cls(path, [*identity, str(SEGMENTS)])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            written = json.loads(path.read_text()) if path.exists() else {}
            if written.get("identity") == places.identity:
                places.phases = written["phases"]
            places._write()
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} cannot be used to note how far the restore is: {error}") from error
        return places

    @property
    def resumed(self) -> bool:
        """Whether an earlier run got somewhere."""
        return bool(self.phases)

    def count(self, phase: str) -> int:
        """Return what was done in a phase, by all runs together."""
        return sum(place["count"] for place in self.phases.get(phase, {}).values())

    def of_segment(self, phase: str, segment: int) -> dict[str, Any]:
        """Return where a segment is: `next` is the key to go on after, None at the begin, and `done` tells its end."""
        begin = {"next": None, "done": False, "count": 0}
        return dict(self.phases.get(phase, {}).get(str(segment), begin))

    def keep(self, phase: str, segment: int, following: Any, done: int) -> None:  # noqa: ANN401 - a key, or None
        """Note that a page is done, `done` items of it; `following` is the key that the next one comes after."""
        with self.lock:
            place = self.of_segment(phase, segment)
            place |= {"next": following, "done": following is None, "count": place["count"] + done}
            self.phases.setdefault(phase, {})[str(segment)] = place
            self._write()

    def forget(self) -> None:
        """Delete the file: the work is done."""
        self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"identity": self.identity, "phases": self.phases}))
        os.replace(new, self.path)  # noqa: PTH105 - as one step, so that no half of it is ever read


@dataclass(frozen=True)
class Phase:
    """One thing to do with each page of a table: `work` returns how many items it counts, `name` says what happened."""

    name: str
    table: str
    work: Callable[[Sequence[Item]], int]
    total: int = 0
    options: dict[str, Any] = field(default_factory=dict)


def run_phase(client: "DynamoDBClient", phase: Phase, places: Places) -> Iterator[str]:
    """Do a phase on all segments that are not done; yield every few seconds how far it is, and how fast."""
    stopped, started, before = Event(), time.monotonic(), places.count(phase.name)

    def work_on(segment: int) -> None:
        place = places.of_segment(phase.name, segment)
        while not (place["done"] or stopped.is_set()):
            more = {"ExclusiveStartKey": place["next"]} if place["next"] else {}
            page = client.scan(
                TableName=phase.table,
                Segment=segment,
                TotalSegments=SEGMENTS,
                ConsistentRead=True,
                **more,
                **phase.options,
            )
            places.keep(phase.name, segment, page.get("LastEvaluatedKey"), phase.work(page["Items"]))
            place = places.of_segment(phase.name, segment)

    with ThreadPoolExecutor(_THREADS) as pool:
        running = {pool.submit(work_on, segment) for segment in range(SEGMENTS)}
        try:
            while running:
                finished, running = wait(running, _REPORT_SECONDS, FIRST_EXCEPTION)
                for each in finished:
                    each.result()
                if running:
                    yield f"{_progress(phase, places, before, started)} …"
        finally:
            stopped.set()  # each segment ends after its page, which is noted
            pool.shutdown(cancel_futures=True)
    yield _progress(phase, places, before, started)


def _progress(phase: Phase, places: Places, before: int, started: float) -> str:
    count = places.count(phase.name)
    rate = (count - before) / max(time.monotonic() - started, 0.001)
    of_all = f" of about {phase.total:,}" if phase.total > count else ""
    return f"{count:,}{of_all} {phase.name}, {rate:,.0f} a second"
