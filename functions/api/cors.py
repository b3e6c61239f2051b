"""CORS: which web origins may call the API, where any are configured."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.api.error_codes import ErrorCode
from functions.api.error_shape import ErrorResponse

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-API-Key", "X-Request-ID"),
)
_EXPOSED_HEADERS = (
    *("ETag", "Link", "Retry-After", "X-Client-Request-ID", "X-Process-Time", "X-Request-ID"),
)


class Cors(CORSMiddleware):
    """Lets pages of the configured origins call the API; a refused preflight gets the usual error body."""

    def __init__(self, app: ASGIApp, origins: Sequence[str], *, credentials: bool) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_ALLOWED_HEADERS,
            allow_credentials=credentials,
            expose_headers=_EXPOSED_HEADERS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's preflight request."""
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code < 400 else _RefusedPreflight(headers=_allowed(answer))  # noqa: PLR2004


def _allowed(answer: Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if not name.startswith("content-")}


class _RefusedPreflight(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _allowed(self)
        message = "Pages of this origin may not make this request."
        refusal = ErrorResponse(
            ErrorCode.CORS_REFUSED, message, scope["state"]["request_id"], headers=headers
        )
        await refusal(scope, receive, send)
