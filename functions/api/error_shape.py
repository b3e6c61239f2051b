"""The JSON body of every error, as it is answered and as OpenAPI describes it."""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

from functions.api.error_codes import ErrorCode
from infra.contracts.event_payloads import FieldError

ERROR_SCHEMA = {"$ref": "#/components/schemas/Error"}


class Error(BaseModel):
    """The body of every 4xx and 5xx answer."""

    status: Literal["error"] = "error"
    code: ErrorCode
    message: str = Field(description="For people; it may change")
    details: list[FieldError] = Field(
        default=[],
        description="What is malformed: at most twenty, of an upload of readings all in twenty lines",
    )
    request_id: str = Field(description="The same as the header X-Request-ID")


class ErrorResponse(Response):
    """An error as JSON; a question mark stands for what UTF-8 cannot encode in text from the caller."""

    media_type = "application/json"

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        request_id: str,
        details: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        *,
        status: int | None = None,
    ) -> None:
        error = Error(code=code, message=message, details=details or [], request_id=request_id)
        content = json.dumps(error.model_dump(), ensure_ascii=False).encode(errors="replace")
        super().__init__(content, status or code.status, headers)


def describe(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` argument of a route that may answer these errors, beside those that all may answer."""
    responses: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        add_errors(responses, code.status, [code])
    return responses


def add_errors(responses: dict[Any, dict[str, Any]], status: int | str, codes: Iterable[ErrorCode]) -> None:
    """Add to the responses of an operation what it answers with `status`, with an example of each code."""
    phrase = "Any other error" if status == "default" else HTTPStatus(int(status)).phrase
    content = {"application/json": {"schema": ERROR_SCHEMA, "examples": {}}}
    response = responses.setdefault(status, {"description": phrase, "content": content})
    examples = response["content"]["application/json"]["examples"]
    examples |= {code.value: {"$ref": f"#/components/examples/{code.value}"} for code in codes}


def example_of(code: ErrorCode) -> dict[str, Any]:
    """Return an answer with `code`, as OpenAPI has examples."""
    details = []
    message = f"{code.meaning}."
    if code is ErrorCode.VALIDATION_ERROR:
        details = [{"field": "dryrun", "message": "is not a parameter of this; did you mean dry_run?"}]
        message = f"{details[0]['field']}: {details[0]['message']}"
    value = {"status": "error", "code": code.value, "message": message, "details": details}
    return {
        "summary": code.meaning,
        "value": value | {"request_id": "0d6f1c9e-3f8a-4f0b-9d51-2c8a1f5e7b42"},
    }


def internal_error(request_id: str) -> Response:
    """Return the answer to an unexpected error; it reveals nothing about the error."""
    return ErrorResponse(ErrorCode.INTERNAL_ERROR, "Something went wrong here.", request_id)


def too_large(request_id: str, limit: int) -> Response:
    """Return the answer to a body of more than `limit` bytes."""
    return ErrorResponse(ErrorCode.PAYLOAD_TOO_LARGE, f"A body may have at most {limit} bytes.", request_id)
