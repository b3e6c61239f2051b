"""How much of its time an invocation has left."""

from collections.abc import Callable
from typing import Protocol

IsTimeLeft = Callable[[], bool]
"""Tells whether there is time to begin one thing more."""


class Invocation(Protocol):
    """What Lambda's context says of the time limit."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function is stopped."""


def more_than(seconds: float, invocation: Invocation) -> IsTimeLeft:
    """Return what tells whether more than `seconds` are left."""
    return lambda: invocation.get_remaining_time_in_millis() > 1000 * seconds


def always() -> bool:
    """Tell that there is time: for callers whose work is bounded otherwise."""
    return True


class NoTimeError(Exception):
    """There was no time left to begin with this: nothing was done."""
