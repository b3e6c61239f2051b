"""The one place that maps errors to HTTP statuses and error codes.

domain.contracts.contract.ComponentInUseError       409 component_in_use
domain.contracts.contract.ContractExistsError      409 contract_exists
domain.contracts.contract.ContractNotFoundError    404 contract_not_found
domain.exports.ExportExpiredError                  410 export_expired
domain.exports.ExportFinishedError                 409 export_finished
domain.exports.ExportNotFoundError                 404 export_not_found
domain.exports.ExportNotReadyError                 404 export_not_ready
domain.meters.periods.PeriodError                  400 validation_error
domain.exports.TooManyExportsError                 429 too_many_exports
domain.meters.readings.MeterIsSimulatedError       409 meter_is_simulated
domain.meters.readings.MeterNotFoundError          404 meter_not_found
domain.meters.completeness.IntervalUnknownError    409 interval_unknown
domain.meters.completeness.TooManyGapsError        400 too_many_gaps
domain.meters.time_zones.UnsupportedZoneError      400 time_zone_unsupported
domain.contracts.trails.AlreadyVoidedError         409 already_voided
domain.contracts.trails.AuditDisabledError         409 audit_disabled
domain.contracts.trails.EventNotFoundError         404 event_not_found
domain.contracts.trails.TrailIncompleteError       409 trail_incomplete
domain.contracts.trails.TrailTooLongError          409 trail_too_long
domain.contracts.trails.IdempotencyKeyReusedError  422 idempotency_key_reused
domain.meters.uploads.InvalidReadingsError         400 validation_error
infra.cursors.InvalidCursorError                   400 invalid_cursor
domain.users.ApiKeyNotFoundError                   404 api_key_not_found
domain.users.LastAdminError                        409 last_admin
domain.users.OwnAccountError                       400 own_account
domain.users.OwnCredentialsError                   400 own_account
domain.users.RegistrationClosedError               403 registration_closed
domain.users.TooManyApiKeysError                   409 too_many_api_keys
domain.users.UserExistsError                       400 user_exists
domain.users.UserNotFoundError                     404 user_not_found
domain.users.WrongPasswordError                    400 wrong_password
infra.users.login_throttle.ThrottledError          429 too_many_attempts
functions.api.error_statuses.ForbiddenError        403 forbidden
functions.api.error_statuses.InvalidLoginError     401 invalid_credentials
infra.exports.files.FileGoneError                  410 export_expired
functions.api.error_statuses.UnauthenticatedError  401 unauthorized
infra.write_outcomes.PartlyAppliedError            503 outcome_unknown
infra.write_outcomes.BusyError                     503 busy
infra.write_outcomes.ImpossibleWriteError          500 internal_error
infra.write_outcomes.OutcomeUnknownError           503 outcome_unknown
errors of botocore                                 503 service_unavailable
anything else                                      500 internal_error
"""

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


_STATUS_OF: dict[type[Exception], tuple[int, str]] = {
    ComponentInUseError: (409, "component_in_use"),
    ContractExistsError: (409, "contract_exists"),
    ContractNotFoundError: (404, "contract_not_found"),
    ExportExpiredError: (410, "export_expired"),
    ExportFinishedError: (409, "export_finished"),
    ExportNotFoundError: (404, "export_not_found"),
    ExportNotReadyError: (404, "export_not_ready"),
    FileGoneError: (410, "export_expired"),
    AlreadyVoidedError: (409, "already_voided"),
    AuditDisabledError: (409, "audit_disabled"),
    EventNotFoundError: (404, "event_not_found"),
    TrailIncompleteError: (409, "trail_incomplete"),
    TrailTooLongError: (409, "trail_too_long"),
    IdempotencyKeyReusedError: (422, "idempotency_key_reused"),
    InvalidCursorError: (400, "invalid_cursor"),
    ApiKeyNotFoundError: (404, "api_key_not_found"),
    ForbiddenError: (403, "forbidden"),
    LastAdminError: (409, "last_admin"),
    OwnAccountError: (400, "own_account"),
    OwnCredentialsError: (400, "own_account"),
    RegistrationClosedError: (403, "registration_closed"),
    TooManyApiKeysError: (409, "too_many_api_keys"),
    TooManyExportsError: (429, "too_many_exports"),
    UserExistsError: (400, "user_exists"),
    UserNotFoundError: (404, "user_not_found"),
    WrongPasswordError: (400, "wrong_password"),
    MeterIsSimulatedError: (409, "meter_is_simulated"),
    MeterNotFoundError: (404, "meter_not_found"),
    IntervalUnknownError: (409, "interval_unknown"),
    TooManyGapsError: (400, "too_many_gaps"),
    UnsupportedZoneError: (400, "time_zone_unsupported"),
}


def add_error_handlers(app: FastAPI) -> None:
    """Make `app` answer every error with the one error body."""
    for error_type in _STATUS_OF:
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
    status, code = _STATUS_OF[type(error)]
    return ErrorResponse(status, code, str(error), request.state.request_id)


async def _answer_unauthenticated(request: Request, _: Exception) -> Response:
    return ErrorResponse(
        401,
        "unauthorized",
        "Valid credentials are required.",
        request.state.request_id,
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _answer_invalid_login(request: Request, _: Exception) -> Response:
    return ErrorResponse(
        401,
        "invalid_credentials",
        "There is no active user with this name and password.",
        request.state.request_id,
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _answer_throttled(request: Request, error: Exception) -> Response:
    assert isinstance(error, ThrottledError)  # noqa: S101 - Starlette types all handlers alike
    return ErrorResponse(
        429,
        "too_many_attempts",
        str(error),
        request.state.request_id,
        headers={"Retry-After": str(error.retry_after)},
    )


async def _answer_outcome_unknown(request: Request, error: Exception) -> Response:
    report_unknown(error)
    return _try_again(request, "outcome_unknown", "It is not known whether this took effect. Send it again.")


async def _answer_partly_applied(request: Request, error: Exception) -> Response:
    # No write has an unknown outcome, so no alarm; but the caller cannot know which events were stored.
    logger.warning("List of events partly applied", reason=repr(error.__cause__))
    return _try_again(request, "outcome_unknown", "Not all events took effect. Send all of them again.")


async def _answer_busy(request: Request, error: Exception) -> Response:
    logger.warning("Busy", reason=repr(error.__cause__ or error))
    return _try_again(request, "busy", "Nothing was stored, because other writes came first. Send it again.")


async def _answer_dependency(request: Request, error: Exception) -> Response:
    logger.error("Dependency failed", reason=type(error).__name__, exc_info=error)
    return _try_again(request, "service_unavailable", "The service cannot answer now. Send it again.")


def _try_again(request: Request, code: str, message: str) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return ErrorResponse(503, code, message, request.state.request_id, headers=headers)


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
    status = getattr(request.scope.get("route"), "malformed_status", HTTPStatus.UNPROCESSABLE_ENTITY)
    return ErrorResponse(status, "validation_error", message, request.state.request_id, details)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette types all handlers alike
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # What FastAPI raises for bytes that are not text, and for JSON that is nested too deeply.
        return _invalid(request, [FieldError(field="body", message="must be JSON")])
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_at(request))
    return ErrorResponse(
        status,
        status.phrase.lower().replace(" ", "_"),
        f"{status.phrase}.",
        request.state.request_id,
        headers=headers,
    )


def _methods_at(request: Request) -> list[HTTPMethod]:
    """Return every method that the request's path supports; Starlette names only those of the first route."""
    return [
        method
        for method in HTTPMethod
        if any(
            route.matches(dict(request.scope, method=method))[0] is Match.FULL
            for route in request.app.router.routes
        )
    ]
