"""`python -m infra.local` starts the local run."""

import signal
import sys

# Ctrl-C while modules are still being imported ends the process silently: nothing has been started yet.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from infra.local.run import main  # noqa: E402

sys.exit(main())
