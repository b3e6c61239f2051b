"""Routes of smart meters and their readings."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Request

from domain.instants import from_micros, to_micros
from domain.meters.periods import PeriodError
from domain.meters.readings import Interval, Meter, MeterNotFoundError, Resolution, read_line, summarise
from domain.meters.uploads import InvalidReadingsError, Problem
from functions.api.dependencies import Cursor, CursorSeal, Limit
from functions.api.error_shape import BadRequestRoute, describe
from functions.api.meters.dependencies import MeterId, Meters, Readings
from functions.api.meters.schemas import (
    UPLOAD_BODY,
    MeterPage,
    MeterView,
    ReadingPage,
    ReadingQuery,
    ReadingView,
    StoredView,
    SummaryView,
)
from infra.contracts.event_payloads import utc_now
from infra.meters.reading_store import ReadingStore
from infra.meters.store_upload import read_csv_body, read_json_body, store_upload

router = APIRouter(
    prefix="/api/meters",
    tags=["smart meters"],
    route_class=BadRequestRoute,
    responses=describe(400, 401, 503, "default"),
)

_LISTING = "meters"
# How many hours hold what is to be shown is not known: asking for few at a time reads little in vain.
_HOURS_AT_ONCE = {Resolution.RAW: 24, Resolution.HOUR: 120, Resolution.DAY: 480}


@router.get("")
async def list_meters(
    meters: Meters, seal: CursorSeal, limit: Limit = 50, cursor: Cursor = None
) -> MeterPage:
    """List meters in the order of their ids; a new one shows up within about a second."""
    page = meters.page(limit, after=None if cursor is None else seal.open(_LISTING, cursor))
    return MeterPage(
        items=[MeterView.of(meter) for meter in page.meters],
        next_cursor=None if page.next_after is None else seal.seal(_LISTING, page.next_after),
    )


@router.get("/{smart_meter_id}", responses=describe(404))
async def get_meter(smart_meter_id: MeterId, meters: Meters) -> MeterView:
    """Show one meter."""
    return MeterView.of(_found(meters.get(smart_meter_id), smart_meter_id))


@router.put("/{smart_meter_id}/readings", responses=describe(409, 413), openapi_extra=UPLOAD_BODY)
async def put_readings(
    smart_meter_id: MeterId, request: Request, meters: Meters, readings: Readings
) -> StoredView:
    """Store readings, as JSON or as CSV with the export's columns; all of them, or none if one is wrong."""
    body = await request.body()
    match request.headers.get("content-type", "").partition(";")[0].strip().lower():
        case "application/json":
            sent = read_json_body(body)
        case "text/csv":
            sent = read_csv_body(body, smart_meter_id)
        case _:
            raise InvalidReadingsError([Problem("content-type", "must be application/json or text/csv")])
    counts = store_upload(meters, readings, smart_meter_id, sent, utc_now())
    return StoredView(stored=counts.stored, updated=counts.updated)


@router.get("/{smart_meter_id}/readings", responses=describe(404))
async def get_readings(
    smart_meter_id: MeterId,
    meters: Meters,
    readings: Readings,
    seal: CursorSeal,
    query: Annotated[ReadingQuery, Query()],
) -> ReadingPage:
    """Show readings, or their summary by UTC hour or day: energy in sum, the rest in the mean."""
    scope = f"readings {smart_meter_id} {query.model_dump_json(include={'start', 'end', 'resolution'})}"
    position = None if query.cursor is None else from_micros(int(seal.open(scope, query.cursor)))
    interval = Interval(position or query.start, query.end or utc_now())
    if interval.end <= interval.start:
        raise PeriodError("end", "must be after start")
    meter = _found(meters.get(smart_meter_id), smart_meter_id)
    shown = list(islice(_shown(readings, meter, interval, query), query.limit + 1))
    following = shown[query.limit].timestamp if len(shown) > query.limit else None
    return ReadingPage(
        items=shown[: query.limit],
        next_cursor=None if following is None else seal.seal(scope, str(to_micros(following))),
    )


def _shown(
    store: ReadingStore, meter: Meter, interval: Interval, query: ReadingQuery
) -> Iterator[ReadingView | SummaryView]:
    blocks = store.blocks(meter, interval, _HOURS_AT_ONCE[query.resolution])
    if query.resolution is Resolution.RAW:
        return (ReadingView.of(read_line(line)) for block in blocks for line in block.splitlines())
    return (SummaryView.of(summary) for summary in summarise(blocks, query.resolution))


def _found(meter: Meter | None, meter_id: str) -> Meter:
    if meter is None:
        raise MeterNotFoundError(meter_id)
    return meter
