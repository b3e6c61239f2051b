"""Routes of the readings of smart meters."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query, Request
from starlette.responses import Response

from domain.instants import to_micros
from domain.meters.csv_format import TIMESTAMP_LENGTH, values_of
from domain.meters.local_periods import Resolution
from domain.meters.periods import PeriodError, check_known_at
from domain.meters.readings import Interval, Quality
from domain.meters.summaries import Position, summarise
from domain.meters.uploads import InvalidReadingsError, Problem
from functions.api.actors import CurrentActor
from functions.api.checked_routes import BadRequestRoute, checked_router
from functions.api.dependencies import Pages
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import describe
from functions.api.exact_json import ExactResponse
from functions.api.meters.dependencies import MeterId, Meters, Readings, existing_meter
from functions.api.meters.market_time import zone_of
from functions.api.meters.schemas import (
    DeletedView,
    HistoryQuery,
    ReadingPage,
    ReadingQuery,
    ReadingView,
    SummaryView,
    UploadView,
    VersionPage,
    VersionView,
)
from functions.api.meters.upload_body import UPLOAD_BODY
from infra.contracts.event_payloads import Instant, utc_now
from infra.meters.reading_queries import Block
from infra.meters.store_upload import (
    Arrival,
    SentReadings,
    read_csv_body,
    read_json_body,
    require_metered,
    store_upload,
)
from infra.meters.summary_positions import format_position, parse_position

router = checked_router(
    prefix="/api/meters/{smart_meter_id}/readings",
    tags=["smart meters"],
    route_class=BadRequestRoute,
)

# How many hours contain the answer is not known in advance: few at a time read little that is not needed.
_HOURS_AT_ONCE = 24
CreatedAt = Annotated[
    Instant | None,
    Query(description="When those readings were made that do not say; now by default, at most a day ahead"),
]


@router.put("", responses=describe(ErrorCode.METER_IS_SIMULATED), openapi_extra=UPLOAD_BODY)
async def put_readings(
    smart_meter_id: MeterId,
    request: Request,
    meters: Meters,
    readings: Readings,
    actor: CurrentActor,
    created_at: CreatedAt = None,
) -> UploadView:
    """Store readings, as JSON or as CSV with the export's columns; all of them, or none if one is wrong.

    A reading replaces the one of its timestamp if it was made later, or at the same instant and arrives
    later. What it replaces stays in the history.
    """
    body = await request.body()
    arrival = Arrival(utc_now(), created_at)
    match request.headers.get("content-type", "").partition(";")[0].strip().lower():
        case "application/json":
            sent = read_json_body(body, arrival)
        case "text/csv":
            sent = read_csv_body(body, smart_meter_id, arrival)
        case _:
            raise InvalidReadingsError([Problem("content-type", "must be application/json or text/csv")])
    return UploadView.of(
        store_upload(meters, readings, SentReadings(smart_meter_id, sent), actor, arrival.now)
    )


@router.delete("", responses=describe(ErrorCode.METER_NOT_FOUND, ErrorCode.METER_IS_SIMULATED))
async def delete_readings(
    smart_meter_id: MeterId,
    start: Instant,
    end: Instant,
    meters: Meters,
    readings: Readings,
    actor: CurrentActor,
) -> DeletedView:
    """Delete the readings from `start` up to, but without, `end`; they stay in the history.

    Readings that were made before the deletion do not come back when they are sent again.
    """
    if end <= start:
        raise PeriodError("end", "must be after start")
    meter = existing_meter(meters, smart_meter_id)
    require_metered(meter)
    return DeletedView(deleted=readings.delete(meter.id, Interval(start, end), actor))


@router.get(
    "",
    responses=describe(ErrorCode.METER_NOT_FOUND, ErrorCode.TIME_ZONE_UNSUPPORTED),
    response_model=ReadingPage,
)
async def get_readings(
    smart_meter_id: MeterId,
    meters: Meters,
    readings: Readings,
    pages: Pages,
    query: Annotated[ReadingQuery, Query()],
) -> Response:
    """Show readings, or their summary by period of a time zone: energy in sum, the rest in the mean.

    A day of Europe/Berlin has 23, 24 or 25 hours. Periods without readings are left out; `start` and `end` cut
    the first and the last. An hour is cut too where the zone changes its clock by less than an hour.

    With `known_at` the answer is what was known at that instant, whatever was corrected or deleted later;
    it is final some fifteen seconds after that instant, when no write that began before is under way.
    An answer holds at most `limit` entries. Of a meter with many readings it may hold fewer: what follows
    is at `next_cursor`, up to the answer in which that is null.
    """
    meter = existing_meter(meters, smart_meter_id)
    area = zone_of(meter, query.tz)
    scope = _list_of(smart_meter_id, query, area)
    after = pages.position(scope, query.cursor)
    position = Position(query.start) if after is None else parse_position(after)
    now = utc_now()
    interval = Interval(position.start, query.end or now)
    if interval.end <= interval.start:
        raise PeriodError("end", "must be after start")
    check_known_at(query.known_at, now)
    if query.resolution is Resolution.RAW:
        blocks = readings.blocks(meter, interval, query.known_at, _HOURS_AT_ONCE)
        shown, following = _raw_page(blocks, query.limit)
        items: list[ReadingView] | list[SummaryView] = shown
    else:
        hours = readings.sums(meter, interval, query.known_at)
        summaries, following = summarise(hours, area, query.resolution, query.limit, position.begun)
        items = [SummaryView.of(summary) for summary in summaries]
    cursor = pages.next_cursor(scope, following and format_position(following))
    return ExactResponse(ReadingPage(items=items, next_cursor=cursor))


def _list_of(smart_meter_id: str, query: ReadingQuery, area: ZoneInfo) -> str:
    """Return the name of the list that is asked for: its cursors are valid for no other."""
    asked = query.model_dump_json(include={"start", "end", "resolution", "known_at"})
    # Periods of one zone do not go on with those of another; single readings have none.
    periods_of = "" if query.resolution is Resolution.RAW else area.key
    return f"readings {smart_meter_id} {asked} {periods_of}"


def _raw_page(blocks: Iterator[Block], limit: int) -> tuple[list[ReadingView], Position | None]:
    """Return the readings to be shown, and the position to go on from."""
    shown: list[ReadingView] = []
    for at, line, quality in _readings_of(blocks):
        if len(shown) == limit:
            return shown, Position(at)
        shown.append(ReadingView.of(at, values_of(line), quality))
    return shown, None


def _readings_of(blocks: Iterator[Block]) -> Iterator[tuple[datetime, bytes, Quality]]:
    for block in blocks:
        lines = block.lines.splitlines()
        origins = block.origins if len(block.origins) == len(lines) else list(block.origins) * len(lines)
        for line, origin in zip(lines, origins, strict=True):
            yield datetime.fromisoformat(line[:TIMESTAMP_LENGTH].decode()), line, origin.quality


@router.get("/history", responses=describe(ErrorCode.METER_NOT_FOUND), response_model=VersionPage)
async def get_reading_history(
    smart_meter_id: MeterId,
    meters: Meters,
    readings: Readings,
    pages: Pages,
    query: Annotated[HistoryQuery, Query()],
) -> Response:
    """List the versions of the reading at `timestamp`, the one in force last; none where there never was one.

    The others stand in the order in which they were replaced, or came too late to count.
    A page may hold fewer versions than its limit, or none, although more follow: see `next_cursor`.
    """
    meter = existing_meter(meters, smart_meter_id)
    scope = f"versions {smart_meter_id} {to_micros(query.timestamp)}"
    position = pages.position(scope, query.cursor)
    page = readings.versions(meter.id, query.timestamp, query.limit, position)
    return ExactResponse(
        VersionPage(
            items=[VersionView.of(version) for version in page.versions],
            next_cursor=pages.next_cursor(scope, page.next_position),
        )
    )
