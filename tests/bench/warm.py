"""Warm requests: CPU of one event in a process that has served others, and the threads that it starts."""

from dataclasses import replace
from statistics import median

from tests.bench import starts
from tests.bench.fresh import Start, measure, run_once
from tests.bench.results import Bench, Ratio, Section, milliseconds, ratio_of_pairs
from tests.bench.stub import stub_of_aws

TEXT = """CPU time of one `POST /event` after fifty others. The service writes two items in one transaction, a log line and a
metric; the tutorial app one item and nothing else. Its `def` route runs on a thread that FastAPI starts, its `async def`
route in the event loop."""

_WARM_UP = 50
_THREADED, _ASYNC = "tutorial app, `def` route", "tutorial app, `async def` route"
_OURS = "API"


def run(bench: Bench) -> Section:
    """Measure warm requests of the service and of the tutorial app."""
    wanted = [replace(start, count=_WARM_UP + 150) for start in _starts(bench)]
    with stub_of_aws() as aws:
        runs = measure(wanted, 4 if bench.short else 25, aws, bench.progress, unmeasured=0)
        threads = {
            start.name: run_once(replace(start, count=101, watch_threads=True), aws).threads
            for start in wanted
        }
    calls = {name: [median(run.calls[_WARM_UP:]) for run in found] for name, found in runs.items()}
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


def _starts(bench: Bench) -> list[Start]:
    ours = starts.functions(bench.artifacts)[0]
    peer = next(peer for peer in starts.peers(bench.artifacts) if peer.name == starts.TUTORIAL)
    return [
        replace(ours, name=_OURS),
        replace(peer, name=_ASYNC, event=starts.request("/async/event")),
        replace(peer, name=_THREADED),
    ]
