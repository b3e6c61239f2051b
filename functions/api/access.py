"""Which role may call which route: one table of all routes. A route that is missing from it refuses every caller."""

import re
from enum import StrEnum

from fastapi import Request

from domain.users import ANONYMOUS_ADMIN, Caller, Role, caller_by_key, caller_by_session
from functions.api.action_log import actor_name, note
from functions.api.error_statuses import ForbiddenError, UnauthenticatedError
from infra.contracts.event_payloads import utc_now
from infra.settings import ApiSettings, AuthMode, settings
from infra.stores import stores
from infra.users.api_key_format import InvalidApiKeyError, matches, parse_api_key
from infra.users.tokens import InvalidTokenError, Kind


class AccessRule(StrEnum):
    """What a route requires of its caller."""

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
    # The console's files; what they show they ask the API for, with the user's credentials.
    ("GET", "/ui"): AccessRule.PUBLIC,
    ("GET", "/ui/assets/{version}/{name}"): AccessRule.PUBLIC,
    ("GET", "/ui/assets/{version}/{folder}/{name}"): AccessRule.PUBLIC,
    # Contracts, events, timelines
    ("POST", "/contract"): AccessRule.OPERATOR,
    ("POST", "/contracts"): AccessRule.OPERATOR,
    ("GET", "/contract"): AccessRule.VIEWER,
    ("GET", "/contract/{contract_number}"): AccessRule.VIEWER,
    ("PATCH", "/contract/{contract_number}"): AccessRule.OPERATOR,
    ("DELETE", "/contract/{contract_number}"): AccessRule.ADMIN,
    ("POST", "/event"): AccessRule.OPERATOR,
    ("POST", "/events"): AccessRule.OPERATOR,
    ("GET", "/contract/{contract_number}/contract_timeline"): AccessRule.VIEWER,
    ("GET", "/{contract_number}/contract_timeline"): AccessRule.VIEWER,
    ("GET", "/contract/{contract_number}/events"): AccessRule.VIEWER,
    ("GET", "/contract/{contract_number}/events/{key}"): AccessRule.VIEWER,
    ("POST", "/contract/{contract_number}/replay"): AccessRule.ADMIN,
    ("POST", "/contract/{contract_number}/events/{key}/void"): AccessRule.ADMIN,
    # All contracts at once
    ("GET", "/portfolio"): AccessRule.VIEWER,
    ("GET", "/portfolio/counts"): AccessRule.VIEWER,
    ("GET", "/portfolio/changes"): AccessRule.VIEWER,
    ("GET", "/events"): AccessRule.VIEWER,
    ("POST", "/api/export/contracts"): AccessRule.OPERATOR,
    # What could not be processed
    ("GET", "/dead-letters"): AccessRule.ADMIN,
    ("POST", "/dead-letters/redrive"): AccessRule.ADMIN,
    # Smart meters and exports. The routes of a job check whose job it is.
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
    ("GET", "/api/export"): AccessRule.VIEWER,
    ("GET", "/api/export/history/{smart_meter_id}"): AccessRule.VIEWER,
    ("DELETE", "/api/export/{job_id}"): AccessRule.OPERATOR,
    # Users and credentials. Requests that log in or out carry their credentials in the body.
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


def check_access(request: Request) -> None:
    """Apply the access rule of the matched route, and store the caller in the request's state.

    Raises:
        UnauthenticatedError: the request has no valid credentials.
        ForbiddenError: the credentials do not satisfy the rule, or the route has no rule.
    """
    rule = ACCESS_RULES.get((request.method, request.scope["route"].path))
    if rule is None:
        raise ForbiddenError
    if rule is not AccessRule.PUBLIC:
        caller = identify(request)
        note(request, actor=actor_name(caller))
        _require(rule, caller)
        request.state.caller = caller


def _require(rule: AccessRule, caller: Caller) -> None:
    if rule in (AccessRule.USER, AccessRule.SESSION):
        if caller.user is None:
            raise UnauthenticatedError
        if rule is AccessRule.SESSION and caller.session is None:
            raise ForbiddenError
    elif not caller.role.includes(Role(rule)):
        raise ForbiddenError


def identify(request: Request) -> Caller:
    """Return the caller, with one call to DynamoDB.

    With AUTH_MODE=open valid credentials still decide who the caller is; without them it is an anonymous admin.

    Raises:
        UnauthenticatedError: the credentials are missing or invalid.
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
    return caller_by_session(*stores().sessions.get(claims.user_id, claims.session_id), utc_now())


def _by_api_key(header: str) -> Caller | None:
    try:
        text = parse_api_key(header)
    except InvalidApiKeyError:
        return None
    user, key = stores().api_keys.get(text.user_id, text.id)
    if key is None or not matches(key, text):
        return None
    caller = caller_by_key(user, key)
    if caller is not None:
        stores().api_keys.record_use(key, utc_now())
    return caller
