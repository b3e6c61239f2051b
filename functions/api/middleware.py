"""Middleware around every route: request ids, security headers, body limits, and the answer to unexpected errors."""

import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api.action_log import log_request
from functions.api.error_shape import internal_error, too_large
from infra.telemetry import logger

MAX_BODY_BYTES = 1024 * 1024
MAX_CREDENTIALS_BYTES = 16 * 1024
# Routes with a larger or smaller limit. Lambda accepts 6 MB, which contain the body as a JSON string. Bodies that
# anyone may send without credentials must be cheap to read.
_LIMITS = {
    re.compile(r"/api/meters/[^/]+/readings"): 5 * 1024 * 1024,
    re.compile(r"/token|/api/v1/auth/[^/]+"): MAX_CREDENTIALS_BYTES,
}

_MAX_DIGITS = 20
_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/@+=-]{1,128}")

CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"

_SECURITY_HEADERS = Headers(
    {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    }
).raw


class RequestFrame:
    """Gives each request an id and each answer its headers; answers HEAD as GET, without the body.

    Plain ASGI: Starlette's BaseHTTPMiddleware starts a task for each request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id, client_request_id = _request_id(scope), _client_request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        _drop_trailing_slash(scope)
        logger.thread_safe_append_keys(
            correlation_id=request_id, client_request_id=client_request_id, **_gateway_request(scope)
        )
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = dict(scope, method="GET")  # a copy: the server goes by the method of its own

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("X-Request-ID", request_id)
                if client_request_id:
                    headers.append("X-Client-Request-ID", client_request_id)
                headers.append("X-Process-Time", f"{time.perf_counter() - started:.6f}")
                headers.raw.extend(_SECURITY_HEADERS)
                headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                headers.setdefault("Cache-Control", "no-store")
                log_request(scope, message["status"])
            elif is_head:
                message["body"] = b""
            await send(message)

        await self.app(scope, receive, send_with_headers)


class RequestGuard:
    """Limits the body of each request and answers unexpected errors.

    Innermost, so that its answers pass through the CORS middleware and web pages can read them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, limit = scope["state"]["request_id"], _body_limit(scope["path"])
        answering = False

        async def send_and_remember(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            body = await _read_body(scope, receive, limit)
        except ClientDisconnect:
            return
        if body is None:
            await too_large(request_id, limit)(scope, receive, send)
            return
        try:
            await self.app(scope, _replay(body, receive), send_and_remember)
        except Exception:
            logger.exception("Unexpected error")
            if answering:
                raise
            await internal_error(request_id)(scope, receive, send)


def _request_id(scope: Scope) -> str:
    context = scope.get("aws.context")
    return str(context.aws_request_id) if context else str(uuid4())


def _gateway_request(scope: Scope) -> dict[str, str]:
    """Return the id that the access log of the gateway gives to the request; empty where there is no gateway."""
    found = scope.get("aws.event", {}).get("requestContext", {}).get("requestId")
    return {} if found is None else {"gateway_request_id": str(found)}


def _client_request_id(scope: Scope) -> str | None:
    """Return the caller's own id of the request, if it is safe to log and to answer."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    text = given[0].decode("latin-1") if len(given) == 1 else ""
    return text if _CLIENT_REQUEST_ID.fullmatch(text) else None


def _drop_trailing_slash(scope: Scope) -> None:
    """Serve `/contract/` as `/contract`; a redirect would make clients drop the body.

    Relative addresses in a page depend on the slash, so the state says whether there was one.
    """
    path = scope["path"].rstrip("/") or "/"
    scope["state"]["trailing_slash"] = path != scope["path"]
    scope["path"] = path


def _body_limit(path: str) -> int:
    return next((limit for route, limit in _LIMITS.items() if route.fullmatch(path)), MAX_BODY_BYTES)


async def _read_body(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """Read the whole body; None if it has more than `limit` bytes."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    # Python refuses to parse a number with thousands of digits.
    if declared.isdigit() and (len(declared) > _MAX_DIGITS or int(declared) > limit):
        return None
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            # What has arrived so far may look like a complete body, and must not be treated as one.
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return None
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body that was read, and after it what the server sends."""
    pending = [body]

    async def replay() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replay
