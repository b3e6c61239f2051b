"""`make import FILE=` without API: into the service of the local run."""

import sys
from os import environ
from pathlib import Path

from infra.local.export import ExportError, api_url
from infra.operate.import_contracts import run


def main() -> int:
    """Import into the run of RUN_DIR."""
    try:
        return run(api_url(Path(environ.get("RUN_DIR") or ".run")))
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
