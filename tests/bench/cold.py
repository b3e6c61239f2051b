"""Cold starts: CPU until a function of the built artifact has answered its first call."""

from statistics import median

from tests.bench import starts
from tests.bench.fresh import Runs, measure
from tests.bench.results import Bench, Plot, Ratio, Section, milliseconds, ratio_of
from tests.bench.stub import stub_of_aws

TEXT = """CPU time of fresh processes: the interpreter's start, the imports, the initialisation and the first call. AWS is an
HTTP server on this machine that answers at once and is not counted. All run from built artifacts with bytecode, except
where it says otherwise. The first request of the API is an event without credentials; the tutorial app has no users,
no trail, no log line and no metric. A stage without `Snapshot` starts like this; with a snapshot, only what
"After a snapshot" shows is left."""

_LIMITS = {
    starts.API: 1.0,
    "ingestion: one event": 0.55,
    "publisher: one change": 0.55,
    "portfolio: one change": 0.55,
    "exporter: ten minutes": 0.55,
}


def run(bench: Bench) -> Section:
    """Measure the cold starts of all functions and peers."""
    peers = starts.peers(bench.artifacts)
    wanted = starts.functions(bench.artifacts)
    wanted += [peer for peer in peers if peer.name == starts.TUTORIAL] if bench.short else peers
    with stub_of_aws() as aws:
        runs = measure(wanted, 6 if bench.short else 15, aws, bench.progress)
    totals = {name: [run.cold for run in found] for name, found in runs.items()}
    ratios = {name: ratio_of(found, totals[starts.TUTORIAL]) for name, found in totals.items()}
    return Section(
        "Cold starts",
        TEXT,
        ("Function", "ratio to the tutorial app", "at most", "initialise", "first call", "modules"),
        [_row(name, runs, ratios[name]) for name in sorted(ratios, key=lambda name: ratios[name])],
        [
            Ratio(f"cold start of {name}", ratios[name], limit, guarded=True)
            for name, limit in _LIMITS.items()
        ],
        [
            Plot(
                "cold-starts.svg",
                "Cold start: CPU until the first answer",
                "ratio to the tutorial app (FastAPI, Mangum, boto3)",
                bars=dict(sorted(ratios.items(), key=lambda item: item[1])),
            )
        ],
        totals,
    )


def _row(name: str, runs: Runs, ratio: float) -> list[str]:
    found = runs[name]
    return [
        name,
        f"{ratio:.2f}",
        f"{_LIMITS[name]:.2f}" if name in _LIMITS else "",
        milliseconds([run.init for run in found]),
        milliseconds([run.calls[0] for run in found]),
        str(int(median(run.modules for run in found))),
    ]
