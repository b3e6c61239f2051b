"""The plots of docs/performance.md, as SVG."""

from pathlib import Path

import matplotlib as mpl

from tests.bench.results import Plot

mpl.use("svg")
mpl.rcParams.update(
    {
        "svg.hashsalt": "energy-operations",
        "svg.fonttype": "none",
        "font.size": 10,
        "axes.grid": True,
        "grid.alpha": 0.3,
    }
)

from matplotlib import pyplot  # noqa: E402 - after the choice of the backend

_OURS = "#0b6e99"
_PEER = "#b0b0b0"
_PEERS = ("tutorial", "bare", "empty", "Powertools", "the same")


def draw(plot: Plot, folder: Path) -> None:
    """Write a plot into a folder."""
    figure, axes = pyplot.subplots(figsize=(8, 0.45 * len(plot.bars) + 1.2 if plot.bars else 4))
    if plot.bars:
        _draw_bars(axes, plot)
    else:
        _draw_curves(axes, plot)
    axes.set_title(plot.title, loc="left")
    figure.tight_layout()
    figure.savefig(folder / plot.file, metadata={"Date": None})
    pyplot.close(figure)


def _draw_bars(axes: pyplot.Axes, plot: Plot) -> None:
    names = list(plot.bars)
    colours = [_PEER if name.startswith(_PEERS) else _OURS for name in names]
    bars = axes.barh(names, list(plot.bars.values()), color=colours)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlabel(plot.y_label)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.1)


def _draw_curves(axes: pyplot.Axes, plot: Plot) -> None:
    for name, points in plot.curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.legend()
