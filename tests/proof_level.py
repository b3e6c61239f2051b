"""How many cases the proofs run: few of each kind in the ordinary suite, all that the project promises with PROOF=full.

PROOF=long takes about two hours.
"""

import os

IS_LONG = os.environ.get("PROOF") == "long"
IS_FULL = IS_LONG or os.environ.get("PROOF") == "full"


def cases(ordinary: int, full: int, long: int | None = None) -> int:
    """Return the number of cases to run; without a number for `long`, that is the full one."""
    if IS_LONG and long is not None:
        return long
    return full if IS_FULL else ordinary
