"""The JSON body of every error, as it is answered and as OpenAPI describes it."""

import json
from http import HTTPStatus
from typing import Any, Literal

from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.responses import Response

from infra.contracts.event_payloads import FieldError


class Error(BaseModel):
    """The body of every 4xx and 5xx answer."""

    status: Literal["error"] = "error"
    code: str = Field(examples=["validation_error"])
    message: str = Field(examples=["contract_number: Field required"])
    details: list[FieldError] = Field(default=[], examples=[[]])
    request_id: str = Field(description="The same as the header X-Request-ID")


class ErrorResponse(Response):
    """An error as JSON; ASCII only, since text from the caller may contain characters that UTF-8 cannot encode."""

    media_type = "application/json"

    def __init__(
        self,
        status_code: int,
        code: str,
        message: str,
        request_id: str,
        details: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        error = Error(code=code, message=message, details=details or [], request_id=request_id)
        super().__init__(json.dumps(error.model_dump()), status_code, headers)


class BadRequestRoute(APIRoute):
    """A route that answers 400 instead of 422 to a malformed request, as the routes of exports and meters do."""

    malformed_status = HTTPStatus.BAD_REQUEST


ERROR_REFERENCE = {"$ref": "#/components/schemas/Error"}
"""Where the OpenAPI document describes `Error`."""


def describe(*statuses: int | Literal["default"]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` argument of a route that may answer with these errors.

    It refers to the error's schema, which the document adds: a model would be analysed for each status of each route, at
    each cold start.
    """
    return {
        status: {
            "description": "Any other error" if status == "default" else HTTPStatus(status).phrase,
            "content": {"application/json": {"schema": ERROR_REFERENCE}},
        }
        for status in statuses
    }


def internal_error(request_id: str) -> Response:
    """Return the answer to an unexpected error; it reveals nothing about the error."""
    return ErrorResponse(500, "internal_error", "Something went wrong here.", request_id)


def too_large(request_id: str, limit: int) -> Response:
    """Return the answer to a body of more than `limit` bytes."""
    return ErrorResponse(413, "payload_too_large", f"A body may have at most {limit} bytes.", request_id)
