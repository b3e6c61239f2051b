"""The check of the Host header: which host names the API answers to, where any are configured."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from functions.api.error_codes import ErrorCode
from functions.api.error_shape import ErrorResponse


class AllowedHosts:
    """Refuses requests for any other host name; `*.name` allows every host below `name`."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self.hosts = {host.lower() for host in hosts if not host.startswith("*.")}
        self.suffixes = tuple(host[1:].lower() for host in hosts if host.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request for an allowed host to the application; answer 400 to any other."""
        if scope["type"] != "http" or self._is_allowed(Headers(scope=scope).get("host", "")):
            await self.app(scope, receive, send)
            return
        message = "This service does not answer under this host name."
        refusal = ErrorResponse(ErrorCode.UNKNOWN_HOST, message, scope["state"]["request_id"])
        await refusal(scope, receive, send)

    def _is_allowed(self, header: str) -> bool:
        host = header.partition(":")[0].lower()
        return host in self.hosts or host.endswith(self.suffixes)
