"""What tests start is started once for all workers of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from tests.engines import shared


class Started:
    """Counts starts and ends; each start has another endpoint."""

    def __init__(self) -> None:
        self.moments: list[str] = []

    @contextmanager
    def run(self) -> Iterator[str]:
        endpoint = f"http://{len(self.moments)}"
        self.moments.append(f"start {endpoint}")
        yield endpoint
        self.moments.append(f"stop {endpoint}")


class Worker:
    """One of those who share; it uses what was started until it leaves."""

    def __init__(self, folder: Path, started: Started) -> None:
        self.endpoint = ""
        self.has_endpoint, self.leave = Event(), Event()
        self.thread = Thread(target=self._use, args=(folder, started))
        self.thread.start()
        assert self.has_endpoint.wait(10)

    def _use(self, folder: Path, started: Started) -> None:
        with shared(folder, started.run) as self.endpoint:
            self.has_endpoint.set()
            assert self.leave.wait(10)

    def ends(self) -> bool:
        self.leave.set()
        self.thread.join(0.2)
        return not self.thread.is_alive()


def test_the_first_starts_it_for_all_and_stops_it_after_the_last(tmp_path: Path) -> None:
    started = Started()
    first, second, third = (Worker(tmp_path, started) for _ in range(3))
    assert [first.endpoint, second.endpoint, third.endpoint] == ["http://0"] * 3

    assert second.ends()
    assert not first.ends()
    assert started.moments == ["start http://0"]
    assert third.ends()
    first.thread.join(10)
    assert started.moments == ["start http://0", "stop http://0"]


def test_what_was_stopped_is_started_again(tmp_path: Path) -> None:
    started = Started()
    assert Worker(tmp_path, started).ends()
    later = Worker(tmp_path, started)
    assert later.endpoint == "http://2"
    assert later.ends()
    assert started.moments == ["start http://0", "stop http://0", "start http://2", "stop http://2"]
