"""How many cases the proofs run: PROOF=full is what CI runs, PROOF=long takes about two hours."""

import os

IS_LONG = os.environ.get("PROOF") == "long"
IS_FULL = IS_LONG or os.environ.get("PROOF") == "full"
