"""What the routes of smart meters take and answer."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from domain.instants import EARLIEST, from_micros
from domain.meters.history import Version
from domain.meters.local_periods import Resolution
from domain.meters.readings import VALUES, Quality
from domain.meters.summaries import Summary
from functions.api.actors import ActorView
from functions.api.exact_json import ExactNumber
from functions.api.meters.market_time import ZoneName
from infra.contracts.event_payloads import Instant
from infra.meters.hour_writes import Counts

KNOWN_AT = "Show what was known at this instant, not what was corrected later"


class ReadingQuery(BaseModel):
    """Which readings to show, and how closely."""

    start: Instant = Field(default=EARLIEST, description="Defaults to the year 2000")
    end: Instant | None = Field(default=None, description="Without it: up to now")
    resolution: Resolution = Resolution.RAW
    tz: ZoneName | None = Field(
        default=None, description="The zone of the periods; defaults to the meter's, else UTC"
    )
    known_at: Instant | None = Field(default=None, description=KNOWN_AT)
    limit: int = Field(
        default=100,
        ge=1,
        le=1440,
        description="Most entries in one answer; there may be fewer before its end",
    )
    cursor: str | None = Field(default=None, description="`next_cursor` of the answer before")


class HistoryQuery(BaseModel):
    """Of which reading to show the versions."""

    timestamp: Instant
    limit: int = Field(default=50, ge=1, le=200, description="Most entries in one answer")
    cursor: str | None = Field(default=None, description="`next_cursor` of the answer before")


class UploadView(BaseModel):
    """What an upload has done; `received` is the sum of the others."""

    received: int
    stored: int = Field(description="Readings of timestamps that had none")
    updated: int = Field(description="Readings that replaced another of their timestamp")
    unchanged: int = Field(description="Readings that were stored already")
    outdated: int = Field(description="Readings that were made before what is stored; they changed nothing")

    @classmethod
    def of(cls, counts: Counts) -> "UploadView":
        """Show `counts`."""
        return cls(**counts._asdict())


class DeletedView(BaseModel):
    """What a deletion has done."""

    deleted: int = Field(description="How many readings there were")


class _Values(BaseModel):
    """The values of a reading, each with the digits it was sent with."""

    energy_kwh: ExactNumber | None
    power_kw: ExactNumber | None
    voltage_v: ExactNumber | None
    current_a: ExactNumber | None


class _At(BaseModel):
    timestamp: Instant


def _values(texts: tuple[str, ...] | None) -> dict[str, Decimal | None]:
    return {
        name: Decimal(text) if text else None for name, text in zip(VALUES, texts or ("",) * 4, strict=True)
    }


class ReadingView(_Values, _At):
    """One reading; null where it has no such value."""

    model_config = ConfigDict(extra="forbid")

    quality: Quality

    @classmethod
    def of(cls, at: datetime, values: tuple[str, ...], quality: Quality) -> "ReadingView":
        """Show a reading."""
        return cls(timestamp=at, quality=quality, **_values(values))


class SummaryView(_Values, _At):
    """The readings of one period: energy in sum, the rest in the mean; null where none had the value."""

    timestamp: Instant = Field(description="When the period begins, also where `start` cuts it")
    local_start: str = Field(
        description="The same in the zone's time, with its offset", examples=["2024-03-31T00:00:00+01:00"]
    )
    readings: int = Field(description="How many readings there are")
    qualities: dict[Quality, int] = Field(description="How many readings have each quality")

    @classmethod
    def of(cls, summary: Summary) -> "SummaryView":
        """Show `summary`."""
        return cls(
            timestamp=summary.period.begin,
            local_start=summary.period.local_start.isoformat(),
            energy_kwh=summary.energy_kwh,
            power_kw=summary.power_kw,
            voltage_v=summary.voltage_v,
            current_a=summary.current_a,
            readings=summary.readings,
            qualities=dict(sorted(summary.qualities.items())),
        )


class ReadingPage(BaseModel):
    """Some readings, or summaries of them, in the order of time."""

    items: list[ReadingView] | list[SummaryView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class VersionView(_Values):
    """One version of a reading; a deletion is one too, and has no values and no quality."""

    quality: Quality | None
    created_at: Instant | None = Field(
        description="When the sender made it first; null of readings from before that was kept"
    )
    confirmed_at: Instant | None = Field(description="When a sender stated the same last")
    recorded_at: Instant | None = Field(
        description="When it was stored; null of readings from before that was kept"
    )
    replaced_at: Instant | None = Field(description="When another version replaced it")
    deleted: bool
    outdated: bool = Field(description="It was older than what was stored when it arrived, and never counted")
    actor: ActorView | None

    @classmethod
    def of(cls, version: Version) -> "VersionView":
        """Show `version`."""
        origin = version.origin
        return cls(
            **_values(version.values),
            quality=None if version.values is None else origin.quality,
            created_at=_at(origin.created_at),
            confirmed_at=_at(origin.confirmed_at),
            recorded_at=_at(origin.recorded_at or None),
            replaced_at=_at(version.replaced_at),
            deleted=version.values is None,
            outdated=version.outdated,
            actor=None if origin.actor is None else ActorView.of(origin.actor),
        )


def _at(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


class VersionPage(BaseModel):
    """Some versions of a reading: the one in force last, the others in the order they were replaced or came too late."""

    items: list[VersionView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")
