"""Dependencies that routes of every capability use. Async, because FastAPI runs plain functions on threads."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request

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
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="Repeating the request with the same key returns the first answer",
    ),
]
