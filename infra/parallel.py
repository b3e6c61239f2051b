"""Work on groups side by side, while the members of a group stay in turn."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

_Group = TypeVar("_Group")
_Result = TypeVar("_Result")


def in_parallel(
    work: Callable[[_Group], list[_Result]], groups: Iterable[_Group], threads: int
) -> list[_Result]:
    """Return what `work` makes of each group, on at most `threads` threads.

    Each thread sees the caller's context, so that its log lines name the same request.
    """
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(copy_context().run, work, group) for group in groups]
    return [result for group in running for result in group.result()]
