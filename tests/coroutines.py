"""Runs a coroutine to its end from a test that is none."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


def run(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Return the result of a coroutine.

    Unlike asyncio.run this leaves the thread's event loop as it was: Mangum asks for the current one, in tests of
    the handler that may come later in the same process.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()
