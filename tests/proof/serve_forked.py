"""Serves applications, each in several processes: `python -m tests.proof.serve_forked FACTORY=PORT,PORT …`.

What all have in common is imported once, and each application is built once, before its processes are forked: every
process would take seconds for both. The program ends as soon as one of its processes does.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module

import uvicorn

from functions.api.app import create_app
from infra.stores import stores


def main() -> None:
    """Serve what the arguments ask for."""
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # it ends after those that serve, of which each has its own handler
    create_app()  # imports the routes
    for argument in sys.argv[1:]:
        factory, _, ports = argument.partition("=")
        _fork(partial(_serve, factory, ports))
    _wait()


def _serve(factory: str, ports: str) -> None:
    """Build an application, and serve it on each port."""
    module, _, name = factory.partition(":")
    app = getattr(import_module(module), name)()
    stores().contracts, stores().timelines, stores().trails
    for port in ports.split(","):
        _fork(partial(uvicorn.run, app, host="127.0.0.1", port=int(port), access_log=False))
    _wait()


def _fork(work: Callable[[], None]) -> None:
    if os.fork() == 0:
        try:
            work()
        finally:
            os._exit(1)


def _wait() -> None:
    """Wait until one process ends, and end all others."""
    os.wait()
    os.killpg(0, signal.SIGTERM)
    with suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    main()
