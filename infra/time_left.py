"""Whether an invocation of a function has enough time left for the next step."""

import time
from collections.abc import Callable
from typing import Protocol

IsTimeLeft = Callable[[], bool]
"""Returns whether there is enough time to start the next step."""


class Invocation(Protocol):
    """The part of Lambda's context that reports the remaining time."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function is stopped."""


def more_than(seconds: float, invocation: Invocation) -> IsTimeLeft:
    """Return a function that returns whether more than `seconds` are left."""
    return lambda: invocation.get_remaining_time_in_millis() > 1000 * seconds


def within(seconds: float) -> IsTimeLeft:
    """Return a function that returns whether less than `seconds` have passed since now."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() < deadline


def always() -> bool:
    """Return True: for callers whose work is limited in another way."""
    return True


class NoTimeError(Exception):
    """There was not enough time left to start: nothing was done."""
