"""The Lambda handler of the API.

A cold start imports the routes of events alone. The first other request, or the snapshot, imports the rest, and from
then on the application with all routes serves everything.
"""

import asyncio
from functools import cache
from typing import Any

from mangum import Mangum

from functions import finish_imports
from functions.api.app import event_routers, start
from functions.api.invalid_unicode import with_valid_unicode
from infra.settings import ApiSettings, settings

# Mangum runs each request on the thread's current event loop, and Python no longer creates one implicitly.
asyncio.set_event_loop(asyncio.new_event_loop())

_EVENTS = {("POST", "/event"), ("POST", "/events")}


@cache
def _whole() -> Mangum:
    return Mangum(start(), lifespan="off")


_events_only = Mangum(start(event_routers()), lifespan="off")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda's own type
    """Serve one request of API Gateway."""
    serve = _application_for(event)
    try:
        return serve(event, context)
    except UnicodeEncodeError:
        # Mangum could not encode a header, the query or the body; the application has not been called yet.
        return serve(with_valid_unicode(event), context)


def _application_for(event: dict[str, Any]) -> Mangum:
    request = event.get("requestContext", {}).get("http", {})
    is_event = (request.get("method"), event.get("rawPath")) in _EVENTS
    return _events_only if is_event and not _whole.cache_info().currsize else _whole()


if settings(ApiSettings).starts_from_snapshot:
    from functions.api.snapshot import prepare

    prepare(_whole())


finish_imports()
