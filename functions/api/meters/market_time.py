"""What routes take and answer about a meter's interval, its time zone, and the completeness of its readings."""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from domain.meters.completeness import Completeness, Counts
from domain.meters.periods import MAX_LENGTH
from domain.meters.readings import METER_ID_PATTERN, Interval, Meter, MeterKind
from domain.meters.time_zones import DEFAULT_ZONE, UnknownZoneError, zone
from infra.contracts.event_payloads import CalendarDate, Instant, Payload


def _known(name: str) -> str:
    try:
        zone(name)
    except UnknownZoneError as error:
        raise ValueError(str(error)) from error
    return name


ZoneName = Annotated[
    str,
    Field(strict=True),
    AfterValidator(_known),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 2,
            "maxLength": 64,
            "description": "IANA name of a time zone",
            "examples": ["Europe/Berlin"],
        }
    ),
]
IntervalSeconds = Annotated[
    Literal[60, 300, 900, 1800, 3600],
    Field(
        description="Seconds from one expected reading to the next; the slots count from the full hour of UTC"
    ),
]


def zone_of(meter: Meter, tz: str | None) -> ZoneInfo:
    """Return the zone that is asked for, else the meter's, else UTC."""
    return zone(tz or meter.timezone or DEFAULT_ZONE)


class MeterPayload(Payload):
    """What to know of a meter: what is not named stays, null removes it."""

    interval_seconds: IntervalSeconds | None = None
    timezone: ZoneName | None = Field(default=None, description="The zone of the meter's days by default")

    def stated(self) -> dict[str, int | str | None]:
        """Return what the sender has named."""
        return self.model_dump(exclude_unset=True)


class MeterView(BaseModel):
    """A smart meter."""

    smart_meter_id: str = Field(pattern=METER_ID_PATTERN, examples=["123"])
    kind: MeterKind
    created_at: Instant
    interval_seconds: int | None = Field(description="Seconds between expected readings; null where unknown")
    timezone: str | None = Field(description="The zone of its days; null where none is set: then UTC")

    @classmethod
    def of(cls, meter: Meter) -> "MeterView":
        """Show `meter`."""
        return cls(
            smart_meter_id=meter.id,
            kind=meter.kind,
            created_at=meter.created_at,
            interval_seconds=meter.interval_seconds,
            timezone=meter.timezone,
        )


class MeterPage(BaseModel):
    """Some meters in the order of their ids."""

    items: list[MeterView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class CompletenessQuery(BaseModel):
    """Of which days to show the completeness."""

    from_: CalendarDate = Field(alias="from", description="The first local date, in the years 2000 to 2100")
    to: CalendarDate = Field(
        description=f"The local date after the last; at most {MAX_LENGTH.days} days after the first"
    )
    tz: ZoneName | None = Field(default=None, description="Defaults to the meter's zone, else UTC")


class CountsView(BaseModel):
    """How many slots there are, how many have a reading, and how many readings are in no slot."""

    expected: int
    present: int
    missing: int
    surplus: int

    @staticmethod
    def fields_of(counts: Counts) -> dict[str, Any]:
        """Return `counts` by the names of these fields."""
        return counts._asdict() | {"missing": counts.missing}


class DayView(CountsView):
    """The counts of a local day."""

    date: CalendarDate


class GapView(BaseModel):
    """A time in which slots have no reading, from the first of them up to, but without, the end of the last."""

    start: Instant
    end: Instant

    @classmethod
    def of(cls, gap: Interval) -> "GapView":
        """Show `gap`."""
        return cls(start=gap.start, end=gap.end)


class CompletenessView(CountsView):
    """Which of the readings that a meter should have sent are there.

    A slot is expected once it has begun. It is present if it has a reading at its begin; all other readings are
    surplus. Readings of slots that have not begun count nowhere.
    """

    smart_meter_id: str
    timezone: str
    interval_seconds: int
    days: list[DayView] = Field(description="Without dates that the zone left out")
    gaps: list[GapView]

    @classmethod
    def of(
        cls, meter_id: str, timezone: str, interval_seconds: int, found: Completeness
    ) -> "CompletenessView":
        """Show what was found."""
        return cls(
            **cls.fields_of(found.total),
            smart_meter_id=meter_id,
            timezone=timezone,
            interval_seconds=interval_seconds,
            days=[DayView(date=day, **cls.fields_of(counts)) for day, counts in found.days],
            gaps=[GapView.of(gap) for gap in found.gaps],
        )
