"""A client of the application that calls it where the test runs.

Starlette's own client has a thread for each test, to which it turns seven times for each request: half of the time of a
request that asks nothing of DynamoDB.
"""

import asyncio
import atexit
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache
from typing import Any

import httpx2
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Message, Scope

_DEFAULT_PORTS = {"http": 80, "https": 443}


class ApiClient(TestClient):
    """Starlette's client without its thread; the application has no lifespan, and an error is a response."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, raise_server_exceptions=False)
        self._transport = _InProcess(app)


class _InProcess(httpx2.BaseTransport):
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        status, headers, body = _run(self._answer, request)
        return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(body))

    async def _answer(self, request: httpx2.Request) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        start: Message = {"status": 500, "headers": []}
        chunks: list[bytes] = []
        content: bytes | None = request.read()
        complete = asyncio.Event()

        async def receive() -> Message:
            nonlocal content
            if content is None:
                await complete.wait()
                return {"type": "http.disconnect"}
            body, content = content, None
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                chunks.append(message.get("body", b""))
                if not message.get("more_body"):
                    complete.set()

        with suppress(Exception):  # the caller of a server sees what was sent until then
            await self.app(_scope(request), receive, send)
        return start["status"], list(start["headers"]), b"" if request.method == "HEAD" else b"".join(chunks)


def _scope(request: httpx2.Request) -> Scope:
    url = request.url
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "root_path": "",
        "scheme": url.scheme,
        "query_string": url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("testclient", 50000),
        "server": (url.host, url.port or _DEFAULT_PORTS[url.scheme]),
        "state": {},
    }


_Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


def _run(
    answer: Callable[[httpx2.Request], Coroutine[Any, Any, _Answer]], request: httpx2.Request
) -> _Answer:
    if threading.current_thread() is threading.main_thread():
        return _loop().run_until_complete(answer(request))
    return asyncio.run(answer(request))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop of the main thread, which lives as long as the process."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop
