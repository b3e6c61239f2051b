"""What a route may ask for, whatever its capability. Async, because FastAPI runs plain functions on threads."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Query

from infra.cursors import Cursors
from infra.idempotency import IdempotencyStore
from infra.stores import Stores, stores


def provided(choose: Callable[[Stores], object]) -> Any:  # noqa: ANN401 - FastAPI's own type of what Depends returns
    """Return the dependency on one of the process's stores."""

    async def provide() -> object:
        return choose(stores())

    return Depends(provide)


CursorSeal = Annotated[Cursors, provided(lambda stores: stores.cursors)]
IdempotencyKeys = Annotated[IdempotencyStore, provided(lambda stores: stores.idempotency)]
Limit = Annotated[int, Query(ge=1, le=200, description="Most entries in one answer")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the answer before")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="The same request again gets the first answer",
    ),
]
