"""What is done before Lambda takes the snapshot from which the API starts, so that no request has to do it."""

import importlib
from contextlib import suppress
from typing import Any

from mangum import Mangum

from infra.aws import dynamodb, secrets_manager
from infra.stores import stores
from infra.write_outcomes import DEPENDENCY_ERRORS

_LATER = ("jwt",)
"""Modules that are imported when a request needs them."""

# A request that no route serves: FastAPI completes a route when it first compares a request with it.
_UNKNOWN: dict[str, Any] = {
    "version": "2.0",
    "rawPath": "/-",
    "rawQueryString": "",
    "headers": {"host": "localhost"},
    "requestContext": {
        "http": {"method": "GET", "path": "/-", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
        "stage": "$default",
    },
    "isBase64Encoded": False,
}


def prepare(serve: Mangum) -> None:
    """Import what is imported late, create the clients, call AWS once with each, and serve a request.

    A service that does not answer does not stop the release: the first request then does more itself.
    """
    for module in _LATER:
        importlib.import_module(module)
    ours = stores()
    for store in (ours.timelines, ours.sessions, ours.api_keys, ours.idempotency):
        assert store  # noqa: S101 - creating it was all
    with suppress(*DEPENDENCY_ERRORS):
        ours.contracts.ping()
    with suppress(*DEPENDENCY_ERRORS):
        ours.tokens.load_keys()
    # Connections do not survive the snapshot.
    for client in (dynamodb(), secrets_manager()):
        client.close()
    serve(_UNKNOWN, None)  # type: ignore[arg-type]  # no invocation, so without a context
