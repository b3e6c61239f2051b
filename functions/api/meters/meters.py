"""Routes of smart meters."""

from functions.api.checked_routes import BadRequestRoute, checked_router
from functions.api.dependencies import Cursor, Limit, Pages
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.meters.dependencies import MeterId, Meters, existing_meter
from functions.api.meters.market_time import MeterPage, MeterPayload, MeterView
from infra.contracts.event_payloads import utc_now

router = checked_router(
    prefix="/api/meters",
    tags=["smart meters"],
    route_class=BadRequestRoute,
)

_LISTING = "meters"


@router.get("")
async def list_meters(meters: Meters, pages: Pages, limit: Limit = 50, cursor: Cursor = None) -> MeterPage:
    """List meters in the order of their ids; a new one shows up within about a second."""
    page = meters.page(limit, after=pages.position(_LISTING, cursor))
    return MeterPage(
        items=[MeterView.of(meter) for meter in page.meters],
        next_cursor=pages.next_cursor(_LISTING, page.next_after),
    )


@router.get("/{smart_meter_id}", responses=describe(ErrorCode.METER_NOT_FOUND))
async def get_meter(smart_meter_id: MeterId, meters: Meters) -> MeterView:
    """Show one meter."""
    return MeterView.of(existing_meter(meters, smart_meter_id))


@router.put("/{smart_meter_id}")
async def put_meter(smart_meter_id: MeterId, payload: MeterPayload, meters: Meters) -> MeterView:
    """Say how often a meter sends readings, and in which time zone its days are; a new one is registered."""
    return MeterView.of(meters.change(smart_meter_id, payload.stated(), utc_now()))
