import socket
import threading

import pytest

from infra.commands.command_error import CommandError
from infra.local.forward_port import forwarded


def answer_once(server: socket.socket) -> None:
    """Take one connection, hear it out, and answer what it said, in capitals."""
    connection, _ = server.accept()
    with connection:
        said = b"".join(iter(lambda: connection.recv(4096), b""))
        connection.sendall(said.upper())


def test_bytes_are_forwarded_in_both_directions() -> None:
    said = b"a long story, " * 100_000
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_once, args=(server,), daemon=True).start()
        with (
            forwarded("127.0.0.1", 0, server.getsockname()[1]) as port,
            socket.create_connection(("127.0.0.1", port), timeout=10) as caller,
        ):
            caller.sendall(said)
            caller.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: caller.recv(65536), b"")) == said.upper()


def test_a_connection_is_closed_if_the_target_does_not_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed_port = server.getsockname()[1]
    with (
        forwarded("127.0.0.1", 0, closed_port) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as caller,
    ):
        assert caller.recv(1) == b""


def test_the_port_is_closed_afterwards() -> None:
    with forwarded("127.0.0.1", 0, 1) as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


@pytest.mark.parametrize(
    ("host", "reason"),
    [("203.0.113.1", "this machine does not have that address"), ("no such host", "")],
)
def test_an_address_of_another_machine_is_refused(host: str, reason: str) -> None:
    with pytest.raises(CommandError, match=f"BIND_HOST={host}: cannot listen on its port 0: {reason}"):
        forwarded(host, 0, 1).__enter__()
