"""`make import FILE=` without API: into the service of the local run."""

import os
import sys

from infra.local.stack import api_url
from infra.operate.import_contracts import run

if __name__ == "__main__":
    sys.exit(run(lambda: api_url(os.environ)))
