"""docs/performance.md and its figures as JSON, from what the benchmarks found."""

import json
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pyperf

from infra.build.packaging import ROOT
from tests.bench.plots import draw
from tests.bench.results import Ratio, Section

DOCUMENT = ROOT / "docs" / "performance.md"
FIGURES = ROOT / "docs" / "performance"
RECORDED = Path(__file__).with_name("recorded.json")
"""The guarded ratios of the last full run, with which `make bench-check` compares."""

_PACKAGES = ("fastapi", "pydantic", "starlette", "mangum", "botocore", "aws-lambda-powertools", "sqlalchemy")
_INTRODUCTION = """# Performance

Written by `make bench`; do not edit. Every figure is of interleaved runs on one machine: of starts that of the
cheapest, since whatever else a machine does only ever adds to one, of everything else the median. Ratios hold elsewhere as long as the
processor is similar: what mostly waits for memory, such as garbage collection, weighs more on some. Times hold nowhere else. `make bench-check` fails in CI when a guarded ratio becomes 1.3 times the one recorded in
`tests/bench/recorded.json`. The samples are in `docs/performance/samples.json`, in pyperf's format:
`.venv-bench/bin/python -m pyperf compare_to before.json after.json` compares two runs. What was tried, and what it
gained, is in the records of [the cold start](decisions/0020-cold-start.md) and of [warm requests](decisions/0022-warm-requests.md).
"""


def write(sections: Sequence[Section], other_rows: Sequence[Sequence[str]], seconds: float) -> None:
    """Write the document, the plots, the samples and the recorded ratios."""
    FIGURES.mkdir(exist_ok=True)
    for section in sections:
        for plot in section.plots:
            draw(plot, FIGURES)
    _write_samples(sections, FIGURES / "samples.json")
    ratios = [ratio for section in sections for ratio in section.ratios]
    RECORDED.write_text(
        json.dumps({ratio.name: round(ratio.value, 3) for ratio in ratios if ratio.guarded}, indent=2) + "\n"
    )
    parts = [_INTRODUCTION, _machine(seconds), _targets(ratios), *map(_section, sections)]
    if other_rows:
        rows = _table(("Test", "Figure", "Value"), other_rows)
        parts.append(
            f"## Other figures\n\nOf the tests in `tests/bench`, which have limits of their own.\n\n{rows}"
        )
    DOCUMENT.write_text("\n".join(part.rstrip() + "\n" for part in parts))


def _machine(seconds: float) -> str:
    facts = pyperf.Run([1.0], collect_metadata=True).get_metadata()
    shown = {name: str(facts[name]) for name in ("cpu_model_name", "cpu_count", "platform") if name in facts}
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    rows = [
        ("Date", f"{datetime.now(UTC):%Y-%m-%d}"),
        (
            "Processor",
            f"{shown.get('cpu_model_name', platform.processor())}, {shown.get('cpu_count', '?')} cores",
        ),
        ("System", shown.get("platform", platform.platform())),
        ("Python", sys.version.split()[0]),
        ("Packages", versions),
        ("This run took", f"{seconds / 60:.0f} minutes"),
    ]
    return f"## Machine\n\n{_table(('', ''), rows)}"


def _targets(ratios: Iterable[Ratio]) -> str:
    rows = [
        (ratio.name, f"{ratio.value:.2f}", f"{ratio.at_most:g}", "yes" if ratio.kept else "**no**")
        for ratio in ratios
        if ratio.at_most is not None
    ]
    return f"## Targets\n\n{_table(('', 'measured', 'at most', 'met'), rows)}"


def _section(section: Section) -> str:
    parts = [f"## {section.title}", section.text]
    parts += [f"![{plot.title}](performance/{plot.file})" for plot in section.plots]
    if section.rows:
        parts.append(_table(section.columns, section.rows))
    return "\n\n".join(parts)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _write_samples(sections: Iterable[Section], file: Path) -> None:
    """Write the samples so that pyperf can show and compare them."""
    found = []
    for section in sections:
        for name, values in section.samples.items():
            described: dict[str, Any] = {"name": f"{section.title}: {name}", "unit": "second"}
            runs = [pyperf.Run([value], metadata=described, collect_metadata=False) for value in values]
            found.append(pyperf.Benchmark(runs))
    if found:
        pyperf.BenchmarkSuite(found).dump(str(file), compact=True, replace=True)
