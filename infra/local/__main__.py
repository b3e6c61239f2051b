"""`python -m infra.local` is the local run."""

import signal
import sys

# Ctrl-C while modules are still being loaded just ends: there is nothing to take down, nothing to tell.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from infra.local.run import main  # noqa: E402

sys.exit(main())
