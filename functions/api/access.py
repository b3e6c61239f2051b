"""Who may come in where: a table of every route, and nobody where a route is missing from it."""

import re
from collections.abc import Awaitable, Callable
from enum import StrEnum
from http import HTTPStatus
from inspect import isawaitable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from domain.users import ANONYMOUS_ADMIN, Caller, Role, caller_by_key, caller_by_session
from functions.api.action_log import actor_name, note
from functions.api.errors import ForbiddenError, UnauthenticatedError
from infra.contracts.event_payloads import utc_now
from infra.settings import ApiSettings, AuthMode, settings
from infra.stores import stores
from infra.users.access_tokens import InvalidTokenError, Kind
from infra.users.api_keys import InvalidApiKeyError, matches, read_api_key


class AccessRule(StrEnum):
    """What a route asks of its caller."""

    PUBLIC = "nothing"
    VIEWER = Role.VIEWER
    OPERATOR = Role.OPERATOR
    ADMIN = Role.ADMIN
    USER = "a user, by a session or an API key"
    SESSION = "a user who has logged in"


ACCESS_RULES = {
    ("GET", "/"): AccessRule.PUBLIC,
    ("GET", "/health"): AccessRule.PUBLIC,
    ("GET", "/health/ready"): AccessRule.PUBLIC,
    ("GET", "/docs"): AccessRule.PUBLIC,
    ("GET", "/docs/start.js"): AccessRule.PUBLIC,
    ("GET", "/docs/{name}"): AccessRule.PUBLIC,
    ("GET", "/openapi.json"): AccessRule.PUBLIC,
    # Contracts, events, timelines
    ("POST", "/contract"): AccessRule.OPERATOR,
    ("GET", "/contract"): AccessRule.VIEWER,
    ("GET", "/contract/{contract_number}"): AccessRule.VIEWER,
    ("DELETE", "/contract/{contract_number}"): AccessRule.ADMIN,
    ("POST", "/event"): AccessRule.OPERATOR,
    ("POST", "/events"): AccessRule.OPERATOR,
    ("GET", "/contract/{contract_number}/contract_timeline"): AccessRule.VIEWER,
    ("GET", "/{contract_number}/contract_timeline"): AccessRule.VIEWER,
    ("GET", "/contract/{contract_number}/events"): AccessRule.VIEWER,
    ("POST", "/contract/{contract_number}/replay"): AccessRule.ADMIN,
    # Smart meters and exports. Whose job it is, its route asks.
    ("GET", "/api/meters"): AccessRule.VIEWER,
    ("GET", "/api/meters/{smart_meter_id}"): AccessRule.VIEWER,
    ("PUT", "/api/meters/{smart_meter_id}"): AccessRule.OPERATOR,
    ("GET", "/api/meters/{smart_meter_id}/completeness"): AccessRule.VIEWER,
    ("GET", "/api/meters/{smart_meter_id}/readings"): AccessRule.VIEWER,
    ("GET", "/api/meters/{smart_meter_id}/readings/history"): AccessRule.VIEWER,
    ("PUT", "/api/meters/{smart_meter_id}/readings"): AccessRule.OPERATOR,
    ("DELETE", "/api/meters/{smart_meter_id}/readings"): AccessRule.ADMIN,
    ("POST", "/api/export/csv"): AccessRule.OPERATOR,
    ("GET", "/api/export/status/{job_id}"): AccessRule.VIEWER,
    ("GET", "/api/export/download/{job_id}"): AccessRule.VIEWER,
    ("GET", "/api/export/history/{smart_meter_id}"): AccessRule.VIEWER,
    ("DELETE", "/api/export/{job_id}"): AccessRule.OPERATOR,
    # Users and credentials. What logs in or out brings what it needs in its body.
    ("POST", "/api/v1/auth/register"): AccessRule.PUBLIC,
    ("POST", "/api/v1/auth/login"): AccessRule.PUBLIC,
    ("POST", "/api/v1/auth/token"): AccessRule.PUBLIC,
    ("POST", "/token"): AccessRule.PUBLIC,
    ("POST", "/api/v1/auth/refresh"): AccessRule.PUBLIC,
    ("POST", "/api/v1/auth/logout"): AccessRule.PUBLIC,
    ("GET", "/api/v1/users/me"): AccessRule.USER,
    ("PUT", "/api/v1/users/me"): AccessRule.SESSION,
    ("POST", "/api/v1/api-keys"): AccessRule.SESSION,
    ("GET", "/api/v1/api-keys"): AccessRule.SESSION,
    ("DELETE", "/api/v1/api-keys/{key_id}"): AccessRule.SESSION,
    ("GET", "/api/v1/users"): AccessRule.ADMIN,
    ("POST", "/api/v1/users"): AccessRule.ADMIN,
    ("GET", "/api/v1/users/{user_id}"): AccessRule.ADMIN,
    ("PUT", "/api/v1/users/{user_id}"): AccessRule.ADMIN,
    ("DELETE", "/api/v1/users/{user_id}"): AccessRule.ADMIN,
}

_BEARER = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)


async def check_access(request: Request) -> None:
    """Let the caller through the door of the route that matched, or refuse.

    Raises:
        UnauthenticatedError: there are no credentials that count.
        ForbiddenError: they do not suffice, or the route has no door.
    """
    door = ACCESS_RULES.get((request.method, request.scope["route"].path))
    if door is None:
        raise ForbiddenError
    if door is not AccessRule.PUBLIC:
        caller = identify(request)
        note(request, actor=actor_name(caller))
        request.state.caller = _pass(door, caller)


def _pass(door: AccessRule, caller: Caller) -> Caller:
    if door in (AccessRule.USER, AccessRule.SESSION):
        if caller.user is None:
            raise UnauthenticatedError
        if door is AccessRule.SESSION and caller.session is None:
            raise ForbiddenError
    elif not caller.role.includes(Role(door)):
        raise ForbiddenError
    return caller


def identify(request: Request) -> Caller:
    """Return who calls, by one call to DynamoDB.

    Where everybody is let in, credentials that count still say as whom.

    Raises:
        UnauthenticatedError: there are none, or they do not count.
    """
    caller = None
    bearers, keys = request.headers.getlist("Authorization"), request.headers.getlist("X-API-Key")
    if len(bearers) == 1:
        caller = _by_token(bearers[0])
    elif not bearers and len(keys) == 1:
        caller = _by_api_key(keys[0])
    if caller is not None:
        return caller
    if settings(ApiSettings).auth_mode is AuthMode.OPEN:
        return ANONYMOUS_ADMIN
    raise UnauthenticatedError


def _by_token(header: str) -> Caller | None:
    match = _BEARER.fullmatch(header)
    if match is None:
        return None
    try:
        claims = stores().tokens.read(Kind.ACCESS, match[1])
    except InvalidTokenError:
        return None
    return caller_by_session(*stores().credentials.session(claims.user_id, claims.session_id), utc_now())


def _by_api_key(header: str) -> Caller | None:
    try:
        shown = read_api_key(header)
    except InvalidApiKeyError:
        return None
    user, key = stores().credentials.api_key(shown.user_id, shown.id)
    if key is None or not matches(key, shown):
        return None
    caller = caller_by_key(user, key)
    if caller is not None:
        stores().credentials.note_use(key, utc_now())
    return caller


def check_access_before_validation_errors(app: FastAPI) -> None:
    """Make those who send an unreadable body pass the door too, before they are told so.

    FastAPI reads a body before it asks for anything else. What `admit` raises is answered as
    everywhere: these handlers run inside the one that knows all errors.
    """
    for kind in (RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _after_access_check(app.exception_handlers[kind]))


_Answer = Callable[[Request, Any], Response | Awaitable[Response]]


def _after_access_check(answer: _Answer) -> _Answer:
    async def check_access_and_answer(request: Request, error: Exception) -> Response:
        is_routing = isinstance(error, HTTPException) and error.status_code != HTTPStatus.BAD_REQUEST
        if not is_routing and not hasattr(request.state, "caller"):
            await check_access(request)
        answered = answer(request, error)
        return await answered if isawaitable(answered) else answered

    return check_access_and_answer
