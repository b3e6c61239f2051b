import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from infra.commands.command_error import CommandError
from infra.commands.service_client import ServiceClient
from tests.engines import free_port


class Answer(NamedTuple):
    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()


class Server(ThreadingHTTPServer):
    """Answers the requests in the order of `answers`, and keeps their headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.received: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.command, self.path, dict(self.headers)))
        answer = self.server.answers.pop(0)
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def start() -> Iterator[Callable[[], Server]]:
    servers: list[Server] = []

    def new() -> Server:
        server = Server()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield new
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def server(start: Callable[[], Server]) -> Server:
    return start()


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({"TOKEN": "t"}, {"Authorization": "Bearer t"}),
        ({"API_KEY": "k"}, {"X-Api-Key": "k"}),
        ({"TOKEN": "t", "API_KEY": "k"}, {"Authorization": "Bearer t"}),
        ({"TOKEN": ""}, {}),
        ({}, {}),
    ],
)
def test_the_credentials_of_the_environment_are_sent(
    server: Server, environment: dict[str, str], sent: dict[str, str]
) -> None:
    server.answers = [Answer(200, {"a": 1})]
    assert ServiceClient.of(f"{server.url}/", environment).call("/path", {"b": 2}) == {"a": 1}
    ((method, path, headers),) = server.received
    assert (method, path) == ("POST", "/path")
    assert {name: value for name, value in headers.items() if name in ("Authorization", "X-Api-Key")} == sent


def test_a_file_on_another_host_is_asked_for_without_the_credentials(
    start: Callable[[], Server],
) -> None:
    service, files = start(), start()
    service.answers = [Answer(307, b"", (("Location", f"{files.url}/signed"),))]
    files.answers = [Answer(200, b"content")]
    with ServiceClient.of(service.url, {"TOKEN": "secret"}).download("/file") as answer:
        assert answer.read() == b"content"
    assert "secret" in str(service.received)
    assert [path for _, path, _ in files.received] == ["/signed"]
    assert "secret" not in str(files.received)


def test_a_service_that_is_busy_is_asked_again(server: Server) -> None:
    busy = Answer(503, {"message": "Busy."}, (("Retry-After", "0"),))
    server.answers = [busy, busy, Answer(200, {})]
    assert ServiceClient.of(server.url, {}).call("/") == {}
    assert len(server.received) == 3


def test_a_refusal_is_the_message_of_the_service(server: Server) -> None:
    server.answers = [Answer(404, {"message": "Not there."}), Answer(500, b"<html>")]
    client = ServiceClient.of(server.url, {})
    with pytest.raises(CommandError, match=r"^Not there\.$"):
        client.call("/")
    with pytest.raises(CommandError, match=r"^the service answers 500 Internal Server Error$"):
        client.call("/")


def test_a_caller_without_credentials_is_told_how_to_give_them(server: Server) -> None:
    server.answers = [Answer(401, {"message": "Not logged in."})]
    with pytest.raises(CommandError, match=r"^Not logged in\. Set TOKEN= .* API_KEY= "):
        ServiceClient.of(server.url, {}).call("/")


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "127.0.0.1", "http://"])
def test_an_address_that_never_answered_is_not_asked_again(address: str) -> None:
    address = address.format(port=free_port())
    with pytest.raises(CommandError, match=r"^the service does not answer at "):
        ServiceClient.of(address, {}).call("/")
