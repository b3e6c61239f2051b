"""Forwards connections to another address of this machine to the loopback address, where the emulated AWS listens.

The emulated AWS cannot listen on the other address itself: the URLs of its queues keep the address of their creation.
"""

import contextlib
import errno
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
        """Copy bytes in both directions until both sides have closed their end."""
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.server.target)) as inner:
            answers = threading.Thread(target=_copy, args=(inner, self.request), daemon=True)
            answers.start()
            _copy(self.request, inner)
            answers.join()


def _copy(source: socket.socket, destination: socket.socket) -> None:
    with contextlib.suppress(OSError):  # one side has closed the connection
        while chunk := source.recv(_CHUNK):
            destination.sendall(chunk)
    with contextlib.suppress(OSError):
        destination.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def forwarded(host: str, port: int, target: int) -> Iterator[int]:
    """Forward `host`:`port` to port `target` of the loopback address during the block; yields the port.

    Raises:
        CommandError: this machine cannot listen there.
    """
    try:
        server = _Forwarder(host, port, target)
    except OSError as error:
        reason = error.strerror
        if error.errno == errno.EADDRNOTAVAIL:
            reason = "this machine does not have that address; on Linux, that of docker0 is there while Docker runs"
        raise CommandError(f"BIND_HOST={host}: cannot listen on its port {port}: {reason}") from error
    with server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
