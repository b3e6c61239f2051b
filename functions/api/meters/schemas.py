"""What the routes of smart meters take and answer."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from domain.instants import EARLIEST
from domain.meters.readings import COLUMNS, METER_ID_PATTERN, Meter, MeterKind, Reading, Resolution, Summary
from infra.contracts.event_payloads import Instant

_READING = {
    "timestamp": "2024-01-01T00:00:00Z",
    "energy_kwh": 0.0125,
    "power_kw": 0.75,
    "voltage_v": 230.1,
    "current_a": 3.26,
}
_NUMBER = {
    "oneOf": [
        {"type": "number", "exclusiveMinimum": -1e9, "exclusiveMaximum": 1e9},
        {"type": "string", "pattern": r"^-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,18})?$"},
    ]
}
_ROW = ",".join(["2024-01-01T00:00:00Z", "123", "0.0125", "0.75", "230.1", "3.26"])

# The body is read as bytes: FastAPI's own reading would turn decimals into floats.
UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["readings"],
                    "additionalProperties": False,
                    "properties": {
                        "readings": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "required": list(_READING),
                                "additionalProperties": False,
                                "properties": {
                                    "timestamp": {
                                        "type": "string",
                                        "format": "date-time",
                                        "description": "A whole second; without an offset it is UTC",
                                    },
                                    **dict.fromkeys(list(_READING)[1:], _NUMBER),
                                },
                            },
                        }
                    },
                },
                "example": {"readings": [_READING]},
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": f"{','.join(COLUMNS)}\r\n{_ROW}\r\n",
            },
        },
    }
}


class ReadingQuery(BaseModel):
    """Which readings to show, and how closely."""

    start: Instant = Field(default=EARLIEST, description="Defaults to the year 2000")
    end: Instant | None = Field(default=None, description="Without it: up to now")
    resolution: Resolution = Resolution.RAW
    limit: int = Field(default=100, ge=1, le=1440, description="Most entries in one answer")
    cursor: str | None = Field(default=None, description="`next_cursor` of the answer before")


class MeterView(BaseModel):
    """A smart meter."""

    smart_meter_id: str = Field(pattern=METER_ID_PATTERN, examples=["123"])
    kind: MeterKind
    created_at: Instant

    @classmethod
    def of(cls, meter: Meter) -> "MeterView":
        """Show `meter`."""
        return cls(smart_meter_id=meter.id, kind=meter.kind, created_at=meter.created_at)


class MeterPage(BaseModel):
    """Some meters in the order of their ids."""

    items: list[MeterView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")


class StoredView(BaseModel):
    """What an upload has done: readings of new timestamps, and readings that differ from those before."""

    stored: int
    updated: int


class ReadingView(BaseModel):
    """One reading. Its numbers are rounded to what JSON readers can hold; an export has every digit."""

    model_config = ConfigDict(extra="forbid")

    timestamp: Instant
    energy_kwh: float
    power_kw: float
    voltage_v: float
    current_a: float

    @classmethod
    def of(cls, reading: Reading) -> "ReadingView":
        """Show `reading`."""
        at, *values = reading
        energy, power, voltage, current = map(float, values)
        return cls(timestamp=at, energy_kwh=energy, power_kw=power, voltage_v=voltage, current_a=current)


class SummaryView(BaseModel):
    """The readings of one UTC hour or day: energy in sum, the rest in the mean."""

    timestamp: Instant = Field(description="When the hour or day begins")
    energy_kwh: float
    power_kw: float
    voltage_v: float
    current_a: float
    count: int = Field(description="How many readings there are")

    @classmethod
    def of(cls, summary: Summary) -> "SummaryView":
        """Show `summary`."""
        return cls(
            timestamp=summary.at,
            energy_kwh=float(summary.energy_kwh),
            power_kw=float(summary.power_kw),
            voltage_v=float(summary.voltage_v),
            current_a=float(summary.current_a),
            count=summary.readings,
        )


class ReadingPage(BaseModel):
    """Some readings, or summaries of them, in the order of time."""

    items: list[ReadingView] | list[SummaryView]
    next_cursor: str | None = Field(description="Ask with this for what follows; null at the end")
