"""The body of an upload of readings, as the OpenAPI document describes it.

Written by hand: the body is read as bytes, because FastAPI's own parser would turn decimals into floats.
"""

from typing import Any

from domain.meters.csv_format import COLUMNS, ExtraColumn
from domain.meters.decimals import DECIMAL_PATTERN, DECIMAL_RULE
from domain.meters.readings import VALUES, Quality

_READING = {
    "timestamp": "2024-01-01T00:00:00Z",
    "energy_kwh": 0.0125,
    "power_kw": 0.75,
    "voltage_v": 230.1,
    "current_a": 3.26,
}
_NUMBER = {
    "description": f"It {DECIMAL_RULE}",
    "oneOf": [
        {"const": 0},
        {"type": "number", "minimum": 1e-30, "exclusiveMaximum": 1e9},
        {"type": "number", "maximum": -1e-30, "exclusiveMinimum": -1e9},
        {"type": "string", "pattern": f"^{DECIMAL_PATTERN}$", "maxLength": 400},
    ],
}
_NO_VALUE = [{"type": "null"}, {"const": ""}]
_ROW = ",".join(["2024-01-01T00:00:00Z", "123", "0.0125", "0.75", "230.1", "3.26"])


def _instant(description: str, *, nullable: bool = False) -> dict[str, Any]:
    return {
        "type": ["string", "null"] if nullable else "string",
        "format": "date-time",
        "description": f"{description}; without an offset it is UTC",
    }


_READING_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["timestamp"],
    # Not all of the four values are absent, null or empty. Said so, generators of clients make one class of it.
    "not": {"properties": {name: {"anyOf": _NO_VALUE} for name in VALUES}},
    "additionalProperties": False,
    "properties": {
        "timestamp": _instant("A whole second, at most a day ahead of now"),
        **{name: {"anyOf": [_NUMBER, *_NO_VALUE]} for name in VALUES},
        "quality": {
            "enum": [*(quality.value for quality in Quality), "", None],
            "description": "How the values came about; measured where it is not said",
        },
        "created_at": _instant("When the reading was made, at most a day ahead of now", nullable=True),
    },
}

UPLOAD_SCHEMAS: dict[str, Any] = {
    "ReadingPayload": _READING_SCHEMA,
    "ReadingsPayload": {
        "type": "object",
        "required": ["readings"],
        "additionalProperties": False,
        "properties": {
            "readings": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/components/schemas/ReadingPayload"},
            },
            "created_at": _instant("When those readings were made that do not say", nullable=True),
        },
    },
}

UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ReadingsPayload"},
                "example": {"readings": [_READING]},
            },
            "text/csv": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": (
                        f"The columns {', '.join(COLUMNS)}; after them there may be {' and '.join(ExtraColumn)}"
                    ),
                },
                "example": f"{','.join(COLUMNS)}\r\n{_ROW}\r\n",
            },
        },
    }
}
