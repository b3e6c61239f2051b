"""Routes that list export jobs."""

from typing import Annotated

from fastapi import Query

from functions.api.checked_routes import BadRequestRoute, checked_router
from functions.api.dependencies import Cursor, Limit, Pages
from functions.api.exports.dependencies import Exports
from functions.api.exports.schemas import HistoryPage, HistoryView, OwnExportPage, OwnExportView, StoredStatus
from functions.api.meters.dependencies import MeterId
from functions.api.users.dependencies import CurrentCaller
from infra.contracts.event_payloads import utc_now

router = checked_router(
    prefix="/api/export",
    tags=["exports"],
    route_class=BadRequestRoute,
)

OnlyStatus = Annotated[
    StoredStatus | None, Query(description="Only these; `completed` includes those whose file has expired")
]


@router.get("", response_model_exclude_unset=True)
async def list_own_exports(
    jobs: Exports,
    pages: Pages,
    caller: CurrentCaller,
    limit: Limit = 50,
    cursor: Cursor = None,
    status: OnlyStatus = None,
) -> OwnExportPage:
    """List one's own exports, of all meters and of contracts, the newest first.

    With `status` a page may hold fewer exports than its limit, or none, although more follow: see `next_cursor`.
    """
    scope = f"exports of {caller.id} {status}"
    page = jobs.page_of_owner(caller.id, limit, pages.position(scope, cursor), status=status)
    now = utc_now()
    return OwnExportPage(
        items=[OwnExportView.of(job, now) for job in page.jobs],
        next_cursor=pages.next_cursor(scope, page.next_after),
    )


@router.get("/history/{smart_meter_id}", response_model_exclude_unset=True)
async def list_exports(
    smart_meter_id: MeterId,
    jobs: Exports,
    pages: Pages,
    caller: CurrentCaller,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> HistoryPage:
    """List one's own exports of a meter, the newest first; admins see those of all.

    A page may hold fewer exports than its limit, or none, although more follow: see `next_cursor`.
    """
    owner = None if caller.is_admin else caller.id
    scope = f"exports {smart_meter_id}" if owner is None else f"exports {smart_meter_id} of {owner}"
    page = jobs.page(smart_meter_id, limit, after=pages.position(scope, cursor), owner=owner)
    now = utc_now()
    return HistoryPage(
        items=[HistoryView.of(job, now) for job in page.jobs],
        next_cursor=pages.next_cursor(scope, page.next_after),
    )
