"""Ratios of time that hold on a machine with other work: the ways take turns, and a limit has several tries."""

import gc
import time
from collections.abc import Callable

TRIES = 3
"""A limit is exceeded only if each of so many tries exceeds it."""
TURNS = 5

Clock = Callable[[], float]


def seconds_of(
    *ways: Callable[[], object], turns: int = TURNS, clock: Clock = time.process_time
) -> list[float]:
    """Return the seconds of the cheapest turn of each of `ways`, of CPU time unless `clock` is another.

    Other work on the machine only ever adds to a turn, and all ways meet the same of it. A first turn, which opens
    connections and fills caches, does not count.
    """
    taken: list[list[float]] = [[] for _ in ways]
    for turn in range(turns + 1):
        # In both orders, so that none always runs in the caches that the same other one leaves.
        for way, seconds in list(zip(ways, taken, strict=True))[:: 1 if turn % 2 else -1]:
            seconds.append(_timed(way, clock))
    return [min(seconds[1:]) for seconds in taken]


def _timed(way: Callable[[], object], clock: Clock) -> float:
    """Time one turn, which collects its own garbage and looks at no objects of other turns."""
    gc.collect()
    gc.freeze()
    started = clock()
    way()
    return clock() - started


def ratio_of_cpu(way: Callable[[], object], other: Callable[[], object], turns: int = TURNS) -> float:
    """Return the CPU time of `way` as a multiple of that of `other`."""
    one, another = seconds_of(way, other, turns=turns)
    return one / another


def best_of_tries(limit: float, measure: Callable[[], float]) -> float:
    """Measure again while the result is above `limit`, `TRIES` times in all, and return the least."""
    least = measure()
    for _ in range(TRIES - 1):
        if least <= limit:
            break
        least = min(least, measure())
    return least
