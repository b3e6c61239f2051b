"""Dependencies that routes of every capability use. Async, because FastAPI runs plain functions on threads."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.exceptions import RequestValidationError

from infra.cursors import Cursors
from infra.idempotency import IdempotencyStore
from infra.stores import Stores, stores


def provided(choose: Callable[[Stores], object]) -> Any:  # noqa: ANN401 - FastAPI's own type of what Depends returns
    """Return the dependency on one of the process's stores."""

    async def provide() -> object:
        return choose(stores())

    return Depends(provide)


class ListCursors:
    """Reads and issues the cursors of the list that one request asks for."""

    def __init__(self, cursors: Cursors, request: Request) -> None:
        self._cursors = cursors
        self._request = request

    def position(self, scope: str, cursor: str | None) -> str | None:
        """Return where in the list `scope` to go on; None is its begin.

        Raises:
            InvalidCursorError: the cursor was not issued for this list.
        """
        return None if cursor is None else self._cursors.open(scope, cursor)

    def next_cursor(self, scope: str, position: str | None) -> str | None:
        """Return the cursor of the next page, which the answer's header Link names too; None at the end."""
        if position is None:
            return None
        cursor = self._cursors.seal(scope, position)
        self._request.scope["state"]["next_cursor"] = cursor
        return cursor


async def list_cursors(request: Request) -> ListCursors:
    """Return the cursors of this request."""
    return ListCursors(stores().cursors, request)


Pages = Annotated[ListCursors, Depends(list_cursors)]
IdempotencyKeys = Annotated[IdempotencyStore, provided(lambda stores: stores.idempotency)]
Limit = Annotated[int, Query(ge=1, le=200, description="Maximum number of entries in one answer")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the previous answer")]
_KEY = "Idempotency-Key"
_KEY_LENGTHS = 1, 128
_KEY_DESCRIPTION = "Repeating the request with the same key returns the first answer"

IdempotencyKey = Annotated[
    str | None,
    Header(alias=_KEY, min_length=_KEY_LENGTHS[0], max_length=_KEY_LENGTHS[1], description=_KEY_DESCRIPTION),
]

# The same for the route of one event: FastAPI takes 2 % of its time for a header, and visits all others for it.
IDEMPOTENCY_KEY_PARAMETER = {
    "name": _KEY,
    "in": "header",
    "required": False,
    "schema": {
        "anyOf": [
            {"type": "string", "minLength": _KEY_LENGTHS[0], "maxLength": _KEY_LENGTHS[1]},
            {"type": "null"},
        ],
        "description": _KEY_DESCRIPTION,
        "title": _KEY,
    },
    "description": _KEY_DESCRIPTION,
}


def idempotency_key(request: Request) -> str | None:
    """Return the header Idempotency-Key, None without one.

    Raises:
        RequestValidationError: it is empty or too long.
    """
    key = request.headers.get(_KEY)
    least, most = _KEY_LENGTHS
    if key is not None and not least <= len(key) <= most:
        limit = f"most {most} characters" if key else f"least {least} character"
        message = f"String should have at {limit}"
        raise RequestValidationError([{"type": "value_error", "loc": ("header", _KEY), "msg": message}])
    return key
