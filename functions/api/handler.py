"""What Lambda calls."""

import asyncio
from typing import Any

from mangum import Mangum

from functions.api.app import start
from functions.api.surrogates import in_utf8

# Mangum runs each request on the thread's current event loop, and Python no longer makes one by itself.
asyncio.set_event_loop(asyncio.new_event_loop())

_serve = Mangum(start(), lifespan="off")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own type
    """Serve one request of API Gateway."""
    try:
        return _serve(event, context)
    except UnicodeEncodeError:
        # Before the application was asked: Mangum cannot encode a header, a query or a body.
        return _serve(in_utf8(event), context)
