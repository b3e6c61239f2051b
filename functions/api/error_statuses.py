"""The one place that maps errors to error codes, and thereby to HTTP statuses: see `error_codes.py`."""

from http import HTTPMethod, HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from domain.contracts.contract import ComponentInUseError, ContractExistsError, ContractNotFoundError
from domain.contracts.trails import (
    AlreadyVoidedError,
    AuditDisabledError,
    EventNotFoundError,
    IdempotencyKeyReusedError,
    TrailIncompleteError,
    TrailTooLongError,
)
from domain.exports import (
    ExportExpiredError,
    ExportFinishedError,
    ExportNotFoundError,
    ExportNotReadyError,
    TooManyExportsError,
)
from domain.meters.completeness import IntervalUnknownError, TooManyGapsError
from domain.meters.periods import PeriodError
from domain.meters.readings import MeterIsSimulatedError, MeterNotFoundError
from domain.meters.time_zones import UnsupportedZoneError
from domain.meters.uploads import InvalidReadingsError, TooManyReadingsError
from domain.users import (
    ApiKeyNotFoundError,
    LastAdminError,
    OwnAccountError,
    OwnCredentialsError,
    RegistrationClosedError,
    TooManyApiKeysError,
    UserExistsError,
    UserNotFoundError,
    WrongPasswordError,
)
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import ErrorResponse
from infra.contracts.event_payloads import FieldError, field_errors
from infra.cursors import InvalidCursorError
from infra.exports.files import FileGoneError
from infra.telemetry import logger, report_unknown
from infra.users.login_throttle import ThrottledError
from infra.write_outcomes import DEPENDENCY_ERRORS, BusyError, OutcomeUnknownError, PartlyAppliedError

RETRY_AFTER_SECONDS = 2


class UnauthenticatedError(Exception):
    """The request has no valid credentials."""


class InvalidLoginError(Exception):
    """No active user has this name and this password; the answer does not say which of them is wrong."""


class ForbiddenError(Exception):
    """The caller is identified, but is not allowed to do this."""

    def __init__(self) -> None:
        super().__init__("Your credentials do not allow this.")


_CODE_OF: dict[type[Exception], ErrorCode] = {
    ComponentInUseError: ErrorCode.COMPONENT_IN_USE,
    ContractExistsError: ErrorCode.CONTRACT_EXISTS,
    ContractNotFoundError: ErrorCode.CONTRACT_NOT_FOUND,
    ExportExpiredError: ErrorCode.EXPORT_EXPIRED,
    ExportFinishedError: ErrorCode.EXPORT_FINISHED,
    ExportNotFoundError: ErrorCode.EXPORT_NOT_FOUND,
    ExportNotReadyError: ErrorCode.EXPORT_NOT_READY,
    FileGoneError: ErrorCode.EXPORT_EXPIRED,
    AlreadyVoidedError: ErrorCode.ALREADY_VOIDED,
    AuditDisabledError: ErrorCode.AUDIT_DISABLED,
    EventNotFoundError: ErrorCode.EVENT_NOT_FOUND,
    TrailIncompleteError: ErrorCode.TRAIL_INCOMPLETE,
    TrailTooLongError: ErrorCode.TRAIL_TOO_LONG,
    IdempotencyKeyReusedError: ErrorCode.IDEMPOTENCY_KEY_REUSED,
    InvalidCursorError: ErrorCode.INVALID_CURSOR,
    ApiKeyNotFoundError: ErrorCode.API_KEY_NOT_FOUND,
    ForbiddenError: ErrorCode.FORBIDDEN,
    LastAdminError: ErrorCode.LAST_ADMIN,
    OwnAccountError: ErrorCode.OWN_ACCOUNT,
    OwnCredentialsError: ErrorCode.OWN_ACCOUNT,
    RegistrationClosedError: ErrorCode.REGISTRATION_CLOSED,
    TooManyApiKeysError: ErrorCode.TOO_MANY_API_KEYS,
    TooManyExportsError: ErrorCode.TOO_MANY_EXPORTS,
    UserExistsError: ErrorCode.USER_EXISTS,
    UserNotFoundError: ErrorCode.USER_NOT_FOUND,
    WrongPasswordError: ErrorCode.WRONG_PASSWORD,
    MeterIsSimulatedError: ErrorCode.METER_IS_SIMULATED,
    MeterNotFoundError: ErrorCode.METER_NOT_FOUND,
    IntervalUnknownError: ErrorCode.INTERVAL_UNKNOWN,
    TooManyGapsError: ErrorCode.TOO_MANY_GAPS,
    UnsupportedZoneError: ErrorCode.TIME_ZONE_UNSUPPORTED,
}
_ROUTING = {code.status: code for code in (ErrorCode.NOT_FOUND, ErrorCode.METHOD_NOT_ALLOWED)}
"""What Starlette raises where no route matches."""


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error with the one error body."""
    for error_type in _CODE_OF:
        app.add_exception_handler(error_type, _answer_known)
    for error_type in DEPENDENCY_ERRORS:
        app.add_exception_handler(error_type, _answer_dependency)
    app.add_exception_handler(UnauthenticatedError, _answer_unauthenticated)
    app.add_exception_handler(InvalidLoginError, _answer_invalid_login)
    app.add_exception_handler(ThrottledError, _answer_throttled)
    app.add_exception_handler(OutcomeUnknownError, _answer_outcome_unknown)
    app.add_exception_handler(PartlyAppliedError, _answer_partly_applied)
    app.add_exception_handler(BusyError, _answer_busy)
    app.add_exception_handler(PeriodError, _answer_period)
    app.add_exception_handler(InvalidReadingsError, _answer_readings)
    app.add_exception_handler(TooManyReadingsError, _answer_readings)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


async def _answer_known(request: Request, error: Exception) -> Response:
    return ErrorResponse(_CODE_OF[type(error)], str(error), request.state.request_id)


async def _answer_unauthenticated(request: Request, _: Exception) -> Response:
    return ErrorResponse(
        ErrorCode.UNAUTHORIZED,
        "Valid credentials are required.",
        request.state.request_id,
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _answer_invalid_login(request: Request, _: Exception) -> Response:
    return ErrorResponse(
        ErrorCode.INVALID_CREDENTIALS,
        "There is no active user with this name and password.",
        request.state.request_id,
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _answer_throttled(request: Request, error: Exception) -> Response:
    assert isinstance(error, ThrottledError)  # noqa: S101 - Starlette types all handlers alike
    return ErrorResponse(
        ErrorCode.TOO_MANY_ATTEMPTS,
        str(error),
        request.state.request_id,
        headers={"Retry-After": str(error.retry_after)},
    )


async def _answer_outcome_unknown(request: Request, error: Exception) -> Response:
    report_unknown(error)
    return _try_again(
        request, ErrorCode.OUTCOME_UNKNOWN, "It is not known whether this took effect. Send it again."
    )


async def _answer_partly_applied(request: Request, error: Exception) -> Response:
    # No write has an unknown outcome, so no alarm; but the caller cannot know which events were stored.
    logger.warning("List of events partly applied", reason=repr(error.__cause__))
    return _try_again(
        request, ErrorCode.OUTCOME_UNKNOWN, "Not all events took effect. Send all of them again."
    )


async def _answer_busy(request: Request, error: Exception) -> Response:
    logger.warning("Busy", reason=repr(error.__cause__ or error))
    return _try_again(
        request, ErrorCode.BUSY, "Nothing was stored, because other writes came first. Send it again."
    )


async def _answer_dependency(request: Request, error: Exception) -> Response:
    logger.error("Dependency failed", reason=type(error).__name__, exc_info=error)
    return _try_again(request, ErrorCode.SERVICE_UNAVAILABLE, "The service cannot answer now. Send it again.")


def _try_again(request: Request, code: ErrorCode, message: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return ErrorResponse(code, message, request.state.request_id, headers=headers)


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - Starlette types all handlers alike
    details = [_without_location(detail) for detail in error.errors()]
    return _invalid(request, field_errors(details))


async def _answer_period(request: Request, error: Exception) -> Response:
    assert isinstance(error, PeriodError)  # noqa: S101 - Starlette types all handlers alike
    return _invalid(request, [FieldError(field=error.field, message=error.message)])


async def _answer_readings(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidReadingsError)  # noqa: S101 - Starlette types all handlers alike
    return _invalid(request, [FieldError(field=place, message=message) for place, message in error.problems])


def _without_location(error: dict[str, Any]) -> dict[str, Any]:
    """Name a field as the caller does: without `body`, `path` or `query` before it."""
    location, *field = error["loc"]
    if error["type"] == "json_invalid":
        return error | {"loc": (location,), "msg": "must be JSON"}
    return error | {"loc": tuple(field) or (location,)}


def _invalid(request: Request, details: list[FieldError]) -> Response:
    message = f"{details[0].field}: {details[0].message}"
    status = getattr(request.scope.get("route"), "malformed_status", None)
    return ErrorResponse(
        ErrorCode.VALIDATION_ERROR, message, request.state.request_id, details, status=status
    )


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette types all handlers alike
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # What FastAPI raises for bytes that are not text, and for JSON that is nested too deeply.
        return _invalid(request, [FieldError(field="body", message="must be JSON")])
    code = _ROUTING[error.status_code]
    headers = dict(error.headers or {})
    if code is ErrorCode.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_at(request))
    message = f"{HTTPStatus(code.status).phrase}."
    return ErrorResponse(code, message, request.state.request_id, headers=headers)


def _methods_at(request: Request) -> list[str]:
    """Return every method that the request's path supports; Starlette names only those of the first route."""
    supported = [
        method
        for method in HTTPMethod
        if any(
            route.matches(dict(request.scope, method=method))[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]
    return sorted([*supported, HTTPMethod.HEAD] if HTTPMethod.GET in supported else supported)
