"""The Lambda handler of the API."""

import asyncio
from typing import Any

from mangum import Mangum

from functions.api.app import start
from functions.api.invalid_unicode import with_valid_unicode

# Mangum runs each request on the thread's current event loop, and Python no longer creates one implicitly.
asyncio.set_event_loop(asyncio.new_event_loop())

_serve = Mangum(start(), lifespan="off")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own type
    """Serve one request of API Gateway."""
    try:
        return _serve(event, context)
    except UnicodeEncodeError:
        # Mangum could not encode a header, the query or the body; the application has not been called yet.
        return _serve(with_valid_unicode(event), context)
