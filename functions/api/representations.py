"""How an answer is sent: compressed if the client takes that, or as 304 if the client has the same already."""

import re
import zlib
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MIN_COMPRESSED_BYTES = 1024
_LEVEL = 1  # the fifth makes an answer up to a fifth smaller, and takes up to twice as long
_GZIP = 16 + zlib.MAX_WBITS
_COMPRESSIBLE = ("application/json", "application/x-ndjson", "text/", "image/svg+xml")
# The length of a compressed answer says something of its content. Where a caller's own text stands beside a
# secret, it could be guessed by it (BREACH), so answers with tokens or keys are sent as they are.
_CREDENTIALS = re.compile(r"/token|/api/v1/auth/[^/]+|/api/v1/api-keys")
# A weight has at most three decimals (RFC 9110, section 12.4.2).
_GZIP_CHOICE = re.compile(r"gzip(?:;q=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


class Representations:
    """Adds ETag and Link to what GET shows, answers 304, and compresses.

    The tag is weak, since it is the same whether the answer is compressed or not. With `Cache-Control: no-store` no
    cache between keeps the answer; a client that keeps it itself asks with its tag whether it is still the same.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def send_represented(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                # An answer in parts is sent as it is: its whole content is not known.
                if not message.get("more_body"):
                    message["body"] = _represent(scope, start, message.get("body", b""))
                await send(start)
                start = None
            await send(message)

        await self.app(scope, receive, send_represented)


def _represent(scope: Scope, start: Message, body: bytes) -> bytes:
    """Complete the headers of an answer; return the body to send."""
    is_shown = scope["method"] == "GET" and start["status"] == 200  # noqa: PLR2004
    is_large = len(body) >= _MIN_COMPRESSED_BYTES
    if not (is_shown or is_large):
        return body
    headers, asked = MutableHeaders(raw=start["headers"]), Headers(scope=scope)
    is_compressible = is_large and _is_compressible(scope["path"], headers)
    if is_compressible:
        headers.add_vary_header("Accept-Encoding")
    if is_shown:
        tag = headers.setdefault("ETag", f'W/"{sha256(body).hexdigest()[:32]}"')
        if cursor := scope["state"].get("next_cursor"):
            headers["Link"] = f'<{_next_page(scope["query_string"], cursor)}>; rel="next"'
        if _has(asked.get("if-none-match", ""), tag):
            start["status"] = 304
            for name in ("content-type", "content-length", "content-disposition"):
                del headers[name]
            return b""
    if is_compressible and takes_gzip(asked.get("accept-encoding", "")):
        compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
        body = compressor.compress(body) + compressor.flush()
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
    return body


def _is_compressible(path: str, headers: MutableHeaders) -> bool:
    return headers.get("content-type", "").startswith(_COMPRESSIBLE) and not _CREDENTIALS.fullmatch(path)


def _has(if_none_match: str, tag: str) -> bool:
    """Return whether the client has what `tag` names, by the weak comparison of RFC 9110, section 13.1.2."""
    known = (one.strip().removeprefix("W/") for one in if_none_match.split(","))
    return any(one in ("*", tag.removeprefix("W/")) for one in known)


def _next_page(query: bytes, cursor: str) -> str:
    """Return the address of the next page, relative to that of this one: right behind any gateway or prefix."""
    asked = parse_qsl(query.decode(), keep_blank_values=True)
    kept = [(name, value) for name, value in asked if name != "cursor"]
    return "?" + urlencode([*kept, ("cursor", cursor)])


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether the header Accept-Encoding allows gzip."""
    return any(
        (match := _GZIP_CHOICE.fullmatch(choice.replace(" ", "").lower())) and float(match["weight"] or 1) > 0
        for choice in accept_encoding.split(",")
    )
