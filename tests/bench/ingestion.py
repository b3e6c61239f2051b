"""Events a second of the ingestion function against the size of a batch and its threads."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from infra.build.packaging import ROOT
from infra.contracts.apply_events import _CONTRACTS_AT_ONCE
from tests.bench.fresh import Start, run_once
from tests.bench.results import Bench, Plot, Ratio, Section
from tests.bench.starts import functions
from tests.bench.stub import Tables, stub_of_aws

TEXT = """Batches of events of different contracts, applied as the ingestion function applies them; every call to DynamoDB takes
5 ms, as within a region. The knee is the smallest number with nine tenths of the most events a second; it depends on the
processor. The defaults are batches of {batch} (`template.yaml`) and {threads} threads, as many as the client keeps connections.
The publisher puts up to ten changes on the bus with one call: {calls:g} calls for 100 changes."""

_LATENCY_SECONDS = 0.005
_BATCHES = (1, 10, 50, 100, 200)
_THREADS = (1, 2, 5, 10, 20, 40)
_BATCH = 100
_KNEE = 0.9


def run(bench: Bench) -> Section:
    """Measure batches on growing numbers of threads."""
    threads = (1, _CONTRACTS_AT_ONCE) if bench.short else _THREADS
    pairs = [(_BATCH, count) for count in threads]
    pairs += [] if bench.short else [(batch, _CONTRACTS_AT_ONCE) for batch in _BATCHES if batch != _BATCH]
    with stub_of_aws() as (address, tables):
        calls = _calls_of_the_publisher(bench, (address, tables))
        tables.latency = _LATENCY_SECONDS
        bench.progress("batches of events")
        found = _probe(address, pairs)
    by_threads = {count: found[_BATCH, count] for count in threads}
    by_batch = {batch: found[batch, count] for batch, count in sorted(found) if count == _CONTRACTS_AT_ONCE}
    best = max(by_threads.values())
    return Section(
        "Ingestion",
        TEXT.format(batch=_BATCH, threads=_CONTRACTS_AT_ONCE, calls=calls),
        ("Batch", "threads", "events a second", "knee"),
        [
            *_rows(by_threads, lambda count: [str(_BATCH), str(count)]),
            *_rows(by_batch, lambda batch: [str(batch), str(_CONTRACTS_AT_ONCE)]),
        ],
        [
            Ratio(
                "most events a second / those of the default threads",
                best / by_threads[_CONTRACTS_AT_ONCE],
                1.25,
            ),
            Ratio(
                "time of a batch on the default threads / on one",
                by_threads[1] / by_threads[_CONTRACTS_AT_ONCE],
                0.5,
                guarded=True,
            ),
            Ratio("calls of the publisher for 100 changes", calls, 10),
        ],
        [
            Plot(
                "ingestion.svg",
                "Events a second of one ingestion function",
                "events a second",
                "threads, or events in a batch",
                {
                    f"threads, batches of {_BATCH}": list(by_threads.items()),
                    f"events in a batch, {_CONTRACTS_AT_ONCE} threads": list(by_batch.items()),
                },
            )
        ],
    )


def _rows(rates: Mapping[int, float], names: Callable[[int], list[str]]) -> list[list[str]]:
    knee = min(count for count, rate in rates.items() if rate >= _KNEE * max(rates.values()))
    return [[*names(count), f"{rate:,.0f}", "knee" if count == knee else ""] for count, rate in rates.items()]


def _probe(address: str, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], float]:
    order = json.dumps({"endpoint": address, "pairs": pairs})
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ingestion_probe", order],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    rates: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {(int(name.split()[0]), int(name.split()[1])): rate for name, rate in rates.items()}


def _calls_of_the_publisher(bench: Bench, aws: tuple[str, Tables]) -> int:
    """Count the calls to the bus for a batch of 100 changes of different contracts."""
    start = next(start for start in functions(bench.artifacts) if start.name.startswith("publisher"))
    (record,) = start.event["Records"]
    records = [
        json.loads(json.dumps(record).replace("CONTRACT#1001", f"CONTRACT#{number}")) for number in range(100)
    ]
    run_once(Start("publisher", start.handler, start.path, {"Records": records}, (), start.environment), aws)
    return aws[1].calls["PutEvents"]
