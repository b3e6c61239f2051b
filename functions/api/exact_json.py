"""JSON answers whose numbers have exactly the digits that are stored."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema
from starlette.responses import Response

ExactNumber = Annotated[Decimal, WithJsonSchema({"type": "number"})]
"""A number that is answered with all its digits, and without exponent."""


class ExactResponse(Response):
    """An answer whose decimals are numbers, which `json` could only write as doubles."""

    media_type = "application/json"

    def __init__(self, view: BaseModel) -> None:
        super().__init__(write_exactly(view.model_dump()))


def write_exactly(value: Any) -> str:  # noqa: ANN401 - whatever a model dumps
    """Write JSON in which a decimal is a number with the digits it has."""
    match value:
        case Decimal():
            return f"{value:f}"
        case Mapping():
            return (
                "{"
                + ",".join(f"{json.dumps(name)}:{write_exactly(part)}" for name, part in value.items())
                + "}"
            )
        case Sequence() if not isinstance(value, str):
            return "[" + ",".join(map(write_exactly, value)) + "]"
        case _:
            return json.dumps(value)
