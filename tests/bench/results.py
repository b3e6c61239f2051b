"""What a benchmark finds: ratios with their limits, a table, and curves to plot."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench.artifacts import Artifacts

Point = tuple[float, float]


@dataclass(frozen=True)
class Ratio:
    """A comparison within one run; `at_most` is the target, and a guarded one must not become 1.3 times the recorded."""

    name: str
    value: float
    at_most: float | None = None
    guarded: bool = False

    @property
    def kept(self) -> bool:
        """Whether the target is met."""
        return self.at_most is None or self.value <= self.at_most


@dataclass(frozen=True)
class Plot:
    """Curves over a logarithmic axis, or bars if there is one value for each name."""

    file: str
    title: str
    y_label: str
    x_label: str = ""
    curves: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    bars: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One part of docs/performance.md."""

    title: str
    text: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    ratios: Sequence[Ratio] = ()
    plots: Sequence[Plot] = ()
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What a benchmark is given: the artifacts, whether it is the short form, and where it tells how far it is."""

    artifacts: Artifacts
    short: bool
    progress: Callable[[str], None]


def ratio_of(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """Return the ratio of the cheapest of interleaved runs: what else the machine does only ever adds to one."""
    return min(numerator) / min(denominator)


def ratio_of_pairs(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """Return the median of the ratios of turns that followed one another, which met the same machine.

    From one time to the next it differs by a fiftieth; by a quarter where each run was a process of its own.
    """
    return median(one / other for one, other in zip(numerator, denominator, strict=True))


def milliseconds(seconds: Sequence[float], of: Callable[[Sequence[float]], float] = min) -> str:
    """Show the cheapest of several runs, or another one `of` them."""
    value = of(seconds) * 1000
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2f} ms"
