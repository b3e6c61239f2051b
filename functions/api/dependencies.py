"""Dependencies that routes of every capability use. Async, because FastAPI runs plain functions on threads."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

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


async def check_query(request: Request) -> None:
    """Refuse a query string that is not UTF-8, which Starlette would silently replace by other text.

    Raises:
        RequestValidationError: a name or value is not UTF-8; the error names the parameter where possible.
    """
    for parameter in request.scope["query_string"].split(b"&"):
        try:
            unquote_to_bytes(parameter).decode()
        except UnicodeDecodeError:
            name = unquote_to_bytes(parameter.partition(b"=")[0]).decode(errors="ignore")
            where = ("query", name) if name else ("query",)
            detail = {"type": "value_error", "loc": where, "msg": "must be UTF-8"}
            raise RequestValidationError([detail]) from None


CursorSeal = Annotated[Cursors, provided(lambda stores: stores.cursors)]
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
