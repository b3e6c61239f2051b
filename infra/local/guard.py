"""Protects the ports of a local run from web pages of other sites and from programs without its token.

Any page in the developer's browser can send requests to the loopback address: the browser sends a form or a
`text/plain` POST without a preflight. The emulated AWS answers every caller and runs code for them. So this file
filters its requests in the same process: it runs instead of `python -m ministack`, and imports nothing of our code.
It also saves the state on request, so that a crash does not lose a whole session: MiniStack saves only when it ends.
And it extracts each archive of functions and layers once: MiniStack does so for each worker that it starts.
"""

import asyncio
import hashlib
import importlib
import json
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import zipfile
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, MutableMapping
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

LOOPBACK_HOSTS = ("127.0.0.1", "localhost")

READY = "/_ministack/ready"
# Callers of the emulated gateway have no AWS credentials; the API behind it has an access rule of its own.
_GATEWAY = re.compile(r"/_aws/execute-api/[^/]+/")
_TOKEN = "x-amz-security-token"  # noqa: S105 - the name of the header that carries it
_OWN_PAGES = ("same-origin", "none")  # none: an address that a person typed
_READING = ("GET", "HEAD")
_READING_OPERATIONS = ("BatchGet", "Describe", "Get", "List", "Query", "Scan")

SAVE = signal.SIGUSR1
"""The signal on which the emulated AWS saves its state."""

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Request:
    """The parts of a request that are checked; header names are in lower case, and may occur more than once."""

    method: str
    scheme: str
    path: str
    query: str
    headers: Iterable[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    def tokens(self) -> list[str]:
        """Return the session tokens of the request: in its header, or in a presigned URL."""
        presigned = parse_qs(self.query).get("X-Amz-Security-Token", [])
        return [*self.values(_TOKEN), *presigned]

    def only_reads(self) -> bool:
        """Return whether this changes nothing, by its method or by the operation of an AWS request."""
        operations = [target.rpartition(".")[2] for target in self.values("x-amz-target")]
        return self.method in _READING or (
            bool(operations) and all(name.startswith(_READING_OPERATIONS) for name in operations)
        )

    def is_presigned_read(self) -> bool:
        """Return whether this is a download with a presigned URL, to which any page may link."""
        return self.method in _READING and "X-Amz-Security-Token" in parse_qs(self.query)


@dataclass(frozen=True)
class Guard:
    """The rules: requests must be for one of `hosts`, and carry the `secret` if there is one."""

    hosts: Collection[str] = LOOPBACK_HOSTS
    secret: str = ""

    def refusal(self, request: Request) -> str | None:
        """Return why a request is refused; None if it is not."""
        named = request.values("host")
        if len(named) != 1 or _name_of(named[0]) not in self.hosts:
            return "it is for another host"  # includes DNS rebinding: a foreign name that resolves to this machine
        if not (request.is_presigned_read() and self._has_secret(request)):
            if any(origin != f"{request.scheme}://{named[0]}" for origin in request.values("origin")):
                return "a page of another origin sent it"
            if any(site not in _OWN_PAGES for site in request.values("sec-fetch-site")):
                return "a page of another site sent it"
        if self.secret and not self._is_public(request) and not self._has_secret(request):
            return "it does not have the session token of this run"
        return None

    def _has_secret(self, request: Request) -> bool:
        tokens = request.tokens()
        return bool(self.secret and tokens) and all(
            compare_digest(token.encode(), self.secret.encode()) for token in tokens
        )

    @staticmethod
    def _is_public(request: Request) -> bool:
        return request.path == READY or _GATEWAY.match(request.path) is not None

    def before(self, app: _App) -> _App:
        """Return `app` behind these rules: refused requests get 403, and WebSockets are closed."""

        async def guarded(scope: _Scope, receive: _Receive, send: _Send) -> None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            reason = self.refusal(_request_of(scope)) if scope["type"] == "http" else None
            if reason is None:
                await app(scope, receive, send)
            else:
                await _refuse(send, reason)

        return guarded


@dataclass
class Saver:
    """Saves the state when the process gets the signal SAVE, if requests may have changed it since the last time."""

    save: Callable[[], None]
    changed: bool = False

    def before(self, app: _App) -> _App:
        """Return `app` with its requests noted; the signal is handled between two of them, in the same thread."""

        async def noting(scope: _Scope, receive: _Receive, send: _Send) -> None:
            if scope["type"] == "lifespan":
                asyncio.get_running_loop().add_signal_handler(SAVE, self.save_changes)
            try:
                await app(scope, receive, send)
            finally:
                if scope["type"] == "http" and not _request_of(scope).only_reads():
                    self.changed = True

        return noting

    def save_changes(self) -> None:
        """Save unless nothing has changed."""
        if self.changed:
            self.changed = False
            self.save()


class SharedArchive(zipfile.ZipFile):
    """An archive of code that is extracted once for all workers: each gets links to what was extracted.

    Functions cannot write to their code and layers on Lambda, so no worker sees what another has changed.
    """

    _extracting = threading.Lock()

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:  # noqa: ANN401 - as the base class has it
        """Link the entries of the top level into the folder `path`; parameters are those of the base class."""
        if path is None or members is not None or not self.filename:
            super().extractall(path, members, pwd)
            return
        digest = hashlib.sha256(Path(self.filename).read_bytes()).hexdigest()
        extracted = Path(tempfile.gettempdir(), "extracted", digest)
        with self._extracting:
            if not extracted.exists():
                unfinished = extracted.with_suffix(".unfinished")
                super().extractall(unfinished, members, pwd)
                unfinished.rename(extracted)
        for entry in extracted.iterdir():
            Path(path, entry.name).symlink_to(entry)


def _name_of(host: str) -> str:
    """Return the name in a Host header, without the port."""
    return re.sub(r":\d*$", "", host).lower()


def _request_of(scope: _Scope) -> Request:
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    query = scope.get("query_string", b"").decode("latin-1")
    return Request(scope["method"], scope.get("scheme", "http"), scope["path"], query, headers)


async def _refuse(send: _Send, reason: str) -> None:
    body = json.dumps({"message": f"The local run refuses this request: {reason}."}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def api() -> _App:
    """Return the API of a local run behind a guard; uvicorn calls this by its name."""
    # Imported by name, as uvicorn does: the local run and the service do not import each other.
    app: _App = importlib.import_module("functions.api.app").start()
    return Guard().before(app)


def main() -> None:
    """Run the emulated AWS behind a guard, with the hosts of the command line and the token of the environment."""
    ministack = vars(importlib.import_module("ministack.app"))
    logging.getLogger("persistence").setLevel(
        logging.WARNING
    )  # it logs a line for each service that it saves
    vars(zipfile)["ZipFile"] = SharedArchive  # MiniStack extracts nothing but code
    guard = Guard(sys.argv[1:], os.environ.get("AWS_SESSION_TOKEN", ""))
    saver = Saver(lambda: ministack["save_all"](ministack["_build_persistence_save_dict"]()))
    ministack["app"] = guard.before(saver.before(ministack["app"]))
    sys.argv = ["ministack"]
    ministack["main"]()


if __name__ == "__main__":
    main()
