"""Passes connections to an address of this machine on to its loopback, where the emulated AWS listens.

It does not listen there itself: its queues keep the address that it had when they were made.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from socketserver import BaseRequestHandler, ThreadingTCPServer

from infra.commands.command_error import CommandError
from infra.commands.processes import LOOPBACK

_CHUNK = 64 * 1024


class _Forwarder(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int, target: int) -> None:
        self.target = target
        super().__init__((host, port), _Connection)


class _Connection(BaseRequestHandler):
    server: _Forwarder

    def handle(self) -> None:
        """Pass bytes both ways until both ends have said all they had to say."""
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.server.target)) as inner:
            answers = threading.Thread(target=_pass_on, args=(inner, self.request), daemon=True)
            answers.start()
            _pass_on(self.request, inner)
            answers.join()


def _pass_on(source: socket.socket, destination: socket.socket) -> None:
    with contextlib.suppress(OSError):  # one end is gone
        while chunk := source.recv(_CHUNK):
            destination.sendall(chunk)
    with contextlib.suppress(OSError):
        destination.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forwarded(host: str, port: int, target: int) -> Iterator[int]:
    """While the block runs, let `host`:`port` be `target` of the loopback; yields the port.

    Raises:
        CommandError: this machine cannot listen there.
    """
    try:
        server = _Forwarder(host, port, target)
    except OSError as error:
        raise CommandError(f"BIND_HOST={host}: cannot listen on its port {port}: {error.strerror}") from error
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
