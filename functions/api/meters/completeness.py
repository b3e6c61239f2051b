"""Route of the completeness of a meter's readings."""

from typing import Annotated

from fastapi import Query

from domain.meters.completeness import IntervalUnknownError, completeness
from domain.meters.local_periods import days_between
from domain.meters.periods import check_days
from domain.meters.readings import Interval
from functions.api.checked_routes import BadRequestRoute, checked_router
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.meters.dependencies import MeterId, Meters, Readings, existing_meter
from functions.api.meters.market_time import CompletenessQuery, CompletenessView, zone_of
from infra.contracts.event_payloads import utc_now

router = checked_router(
    prefix="/api/meters/{smart_meter_id}/completeness",
    tags=["smart meters"],
    route_class=BadRequestRoute,
)


@router.get(
    "", responses=describe(ErrorCode.METER_NOT_FOUND, ErrorCode.INTERVAL_UNKNOWN, ErrorCode.TOO_MANY_GAPS)
)
async def get_completeness(
    smart_meter_id: MeterId, meters: Meters, readings: Readings, query: Annotated[CompletenessQuery, Query()]
) -> CompletenessView:
    """Say which of the readings that a meter should have sent are there, by local day, and where the gaps are.

    There are at most 20,000 gaps in an answer; where there are more, fewer days have to be asked for.
    """
    check_days(query.from_, query.to)
    meter = existing_meter(meters, smart_meter_id)
    if meter.interval_seconds is None:
        raise IntervalUnknownError(meter.id)
    area = zone_of(meter, query.tz)
    days = list(days_between(area, query.from_, query.to))
    hours = readings.presence(meter, Interval(days[0].begin, days[-1].end)) if days else []
    found = completeness(days, hours, meter.interval_seconds, utc_now())
    return CompletenessView.of(meter.id, area.key, meter.interval_seconds, found)
