"""`make bench` and `make bench-check`: run the benchmarks and write, or compare, what they found."""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

from tests.bench import (
    artifacts,
    cold,
    costs,
    export_costs,
    growth,
    history,
    ingestion,
    report,
    snapshot,
    warm,
)
from tests.bench.ratios import TRIES
from tests.bench.results import Bench, Ratio, Section

SECTIONS: tuple[ModuleType, ...] = (cold, snapshot, warm, history, ingestion, costs, export_costs, growth)
GUARDED: tuple[ModuleType, ...] = (cold, snapshot, warm)
"""What the short form measures: ratios of CPU, which hold on a busy machine too."""
WORSE = 1.3


def _progress_of(title: str) -> Callable[[str], None]:
    started = time.monotonic()

    def show(text: str) -> None:
        print(f"  {time.monotonic() - started:5.0f} s  {title}: {text}", flush=True)

    return show


def run_all(tests: Path | None, *, short: bool) -> int:
    """Run everything and write the document; return whether a target was missed."""
    started = time.monotonic()
    print("building the artifacts", flush=True)
    built = artifacts.build()
    found: list[Section] = []
    broken: list[str] = []
    for section in SECTIONS:
        name = section.__name__.rpartition(".")[2]
        try:
            found.append(section.run(Bench(built, short, _progress_of(name))))
        except Exception:  # the other sections are worth having
            traceback.print_exc()
            broken.append(name)
    report.write(found, _rows_of(tests) if tests else [], time.monotonic() - started)
    ratios = [ratio for section in found for ratio in section.ratios]
    for ratio in ratios:
        print(_show(ratio))
    print(f"{report.DOCUMENT} is written{', without ' + ', '.join(broken) if broken else ''}")
    return int(bool(broken) or not all(ratio.kept for ratio in ratios))


def check() -> int:
    """Measure the guarded ratios, up to three times, and compare them with the recorded ones."""
    if not report.RECORDED.exists():
        print(
            "error: nothing is recorded yet: run `make bench` once, and commit what it writes",
            file=sys.stderr,
        )
        return 1
    recorded: dict[str, float] = json.loads(report.RECORDED.read_text())
    built = artifacts.build()
    missed: set[str] = set()
    for section in GUARDED:
        name = section.__name__.rpartition(".")[2]
        for _ in range(TRIES):
            found = section.run(Bench(built, True, _progress_of(name))).ratios
            worse = [
                ratio
                for ratio in found
                if ratio.guarded and ratio.value > WORSE * recorded.get(ratio.name, ratio.value)
            ]
            for ratio in found:
                print(f"{_show(ratio)}, recorded {recorded.get(ratio.name, 'not')}")
            if not worse:
                break
        missed |= {ratio.name for ratio in worse}
    for name in sorted(missed):
        print(f"error: {name} is worse than {WORSE} times the recorded {recorded[name]}", file=sys.stderr)
    return int(bool(missed))


def _show(ratio: Ratio) -> str:
    limit = "" if ratio.at_most is None else f" (at most {ratio.at_most:g}{'' if ratio.kept else ': MISSED'})"
    return f"{ratio.name}: {ratio.value:.3f}{limit}"


def _rows_of(tests: Path) -> list[list[str]]:
    """Read what the tests of this folder have recorded."""
    cases = ElementTree.parse(tests).iter("testcase")  # noqa: S314 - pytest has just written it
    return [
        [
            case.attrib["name"].removeprefix("test_").replace("_", " "),
            found.attrib["name"],
            found.attrib["value"],
        ]
        for case in cases
        for found in case.iter("property")
    ]


def main() -> int:
    """Run what the arguments ask for; return the exit code."""
    parser = argparse.ArgumentParser(description="Measures speed as ratios of one run.")
    parser.add_argument(
        "--check", action="store_true", help="compare the guarded ratios with the recorded ones"
    )
    parser.add_argument(
        "--short", action="store_true", help="with fewer rounds and less data, to try a change"
    )
    parser.add_argument("--tests", type=Path, help="what pytest has recorded of the tests in this folder")
    arguments = parser.parse_args()
    return check() if arguments.check else run_all(arguments.tests, short=arguments.short)


if __name__ == "__main__":
    sys.exit(main())
