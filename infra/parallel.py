"""Processes groups in parallel, and the members of one group in order."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

_Group = TypeVar("_Group")
_Result = TypeVar("_Result")


def in_parallel(
    work: Callable[[_Group], list[_Result]], groups: Iterable[_Group], threads: int
) -> list[_Result]:
    """Call `work` for each group, on at most `threads` threads, and return all results in the order of the groups.

    Each thread gets a copy of the caller's context, so that its log lines have the same request id.
    """
    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(copy_context().run, work, group) for group in groups]
    return [result for group in running for result in group.result()]
