"""The one policy by which calls to DynamoDB are repeated: how often, and with which pauses."""

import time
from collections.abc import Iterator
from random import SystemRandom

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.8
# Instances that start from one snapshot would share a seed and retry at the same moment.
_RANDOM = SystemRandom()


def attempts(most: int = 8, seconds: float = 5.0) -> Iterator[None]:
    """Yield once for each of at most `most` attempts, with a longer pause before each one.

    No attempt starts after `seconds`: a request has 29 of them and may need a second write. The pauses have jitter,
    so that writers in conflict do not retry at the same moment.
    """
    latest = time.monotonic() + seconds
    yield
    for attempt in range(1, most):
        if time.monotonic() > latest:
            return
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
        time.sleep(_RANDOM.uniform(0.5, 1) * pause)
        yield
