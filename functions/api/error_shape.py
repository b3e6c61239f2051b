"""The one shape of errors, as answered and as described."""

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
    request_id: str = Field(description="Equals the header X-Request-ID")


class ErrorResponse(Response):
    """An error as JSON; ASCII only, since a caller's own text may hold what UTF-8 cannot carry."""

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
    """A route that answers 400, not 422, to a malformed request: exports and meters promise that."""

    malformed_status = HTTPStatus.BAD_REQUEST


def describe(*statuses: int | Literal["default"]) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of a route's errors; each has the one shape."""
    return {
        status: {
            "model": Error,
            "description": "Any other error" if status == "default" else HTTPStatus(status).phrase,
        }
        for status in statuses
    }


def internal_error(request_id: str) -> Response:
    """Return the answer to an error nobody foresaw, without a word of it."""
    return ErrorResponse(500, "internal_error", "Something went wrong here.", request_id)


def too_large(request_id: str, limit: int) -> Response:
    """Return the answer to a body of more than `limit` bytes."""
    return ErrorResponse(413, "payload_too_large", f"A body may have at most {limit} bytes.", request_id)
