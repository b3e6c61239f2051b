"""Warm requests: CPU of one event in a process that has served others, and the threads that it starts."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

from tests.bench import starts
from tests.bench.fresh import Start, run_once, running
from tests.bench.results import Bench, Ratio, Section, milliseconds, ratio_of_pairs
from tests.bench.stub import Tables, stub_of_aws

TEXT = """CPU time of one `POST /event` in processes that have served fifty, and take turns of ten events. The service writes two
items in one transaction, a log line and a metric; the tutorial app one item and nothing else. Its `def` route runs on a
thread that FastAPI starts, its `async def` route in the event loop."""

_WARM_UP, _CALLS, _TURNS = 50, 10, 30
_THREADED, _ASYNC = "tutorial app, `def` route", "tutorial app, `async def` route"
_OURS = "API"


def run(bench: Bench) -> Section:
    """Measure warm requests of the service and of the tutorial app."""
    wanted = [replace(start, count=_WARM_UP + _CALLS * _TURNS) for start in _starts(bench)]
    calls: dict[str, list[float]] = {start.name: [] for start in wanted}
    sets = 3 if bench.short else 9
    with stub_of_aws() as aws:
        for number in range(sets):
            bench.progress(f"processes that take turns, set {number + 1} of {sets}")
            for name, found in _take_turns(wanted, aws).items():
                calls[name] += found
        threads = {
            start.name: run_once(replace(start, count=101, watch_threads=True), aws).threads
            for start in wanted
        }
    ratios = {name: ratio_of_pairs(found, calls[_ASYNC]) for name, found in calls.items()}
    return Section(
        "Warm requests",
        TEXT,
        ("", "CPU of one event", "ratio to the `async def` route", "threads started in 101 requests"),
        [
            [name, milliseconds(calls[name], median), f"{ratios[name]:.2f}", str(threads[name])]
            for name in calls
        ],
        [
            Ratio("warm POST /event", ratios[_OURS], 1.2, guarded=True),
            Ratio("threads that 101 requests start", threads[_OURS], 0),
        ],
        samples=calls,
    )


def _take_turns(wanted: Sequence[Start], aws: tuple[str, Tables]) -> dict[str, list[float]]:
    """Return the CPU seconds of one event of each, turn by turn: turns that follow one another meet the same machine."""
    endpoint, tables = aws
    tables.reset(item for start in wanted for item in start.items)
    found: dict[str, list[float]] = {start.name: [] for start in wanted}
    with ExitStack() as stack:
        calls = {start.name: stack.enter_context(running(start, endpoint)) for start in wanted}
        for call in calls.values():
            call(_WARM_UP)
        for turn in range(_TURNS):
            # In both orders, so that none always follows the same other one.
            for name, call in list(calls.items())[:: 1 if turn % 2 else -1]:
                found[name].append(median(call(_CALLS)))
    return found


def _starts(bench: Bench) -> list[Start]:
    ours = starts.functions(bench.artifacts)[0]
    peer = next(peer for peer in starts.peers(bench.artifacts) if peer.name == starts.TUTORIAL)
    return [
        replace(ours, name=_OURS),
        replace(peer, name=_ASYNC, event=starts.request("/async/event")),
        replace(peer, name=_THREADED),
    ]
