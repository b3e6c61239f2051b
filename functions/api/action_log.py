"""The action log: one line for each security-relevant request, with its actor, its target and its outcome.

The lines contain ids, never passwords, tokens, keys, email addresses or the names that callers type at a login.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from domain.users import Caller
from infra.telemetry import log_action

ACTIONS = {
    ("POST", "/api/v1/auth/register"): "registration",
    ("POST", "/api/v1/auth/login"): "login",
    ("POST", "/api/v1/auth/token"): "login",
    ("POST", "/token"): "login",
    ("POST", "/api/v1/auth/refresh"): "refresh",
    ("POST", "/api/v1/auth/logout"): "logout",
    ("PUT", "/api/v1/users/me"): "user_change",
    ("POST", "/api/v1/users"): "user_creation",
    ("PUT", "/api/v1/users/{user_id}"): "user_change",
    ("DELETE", "/api/v1/users/{user_id}"): "user_deletion",
    ("POST", "/api/v1/api-keys"): "api_key_creation",
    ("DELETE", "/api/v1/api-keys/{key_id}"): "api_key_revocation",
    ("PATCH", "/contract/{contract_number}"): "contract_change",
    ("DELETE", "/contract/{contract_number}"): "contract_deletion",
    ("POST", "/contract/{contract_number}/replay"): "replay",
    ("POST", "/contract/{contract_number}/events/{key}/void"): "void",
    ("DELETE", "/api/meters/{smart_meter_id}/readings"): "readings_deletion",
}
"""Requests that are always logged, by route. Any other request is logged only if it gets 401, 403 or 429."""

_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
_KINDS = {
    "user_id": "user",
    "key_id": "api_key",
    "contract_number": "contract",
    "smart_meter_id": "meter",
    "job_id": "export",
}
_LONGEST_ID = 64
NOBODY = "nobody"


def note(request: Request, **facts: Any) -> None:  # noqa: ANN401
    """Add `actor`, `target` or other fields to the log line of this request; None adds nothing."""
    noted = request.scope["state"].setdefault("noted", {})
    noted.update({name: fact for name, fact in facts.items() if fact is not None})


def user_name(user_id: str) -> str:
    """Return how the log names a user."""
    return f"user:{user_id}"


def api_key_name(key_id: str) -> str:
    """Return how the log names an API key."""
    return f"api_key:{key_id}"


def actor_name(caller: Caller) -> str:
    """Return how the log names a caller."""
    if caller.api_key is not None:
        return api_key_name(caller.api_key.id)
    return user_name(caller.id) if caller.user is not None else caller.id


def log_request(scope: Scope, status: int) -> None:
    """Log the request that was answered with `status`, if it belongs in the action log."""
    path = getattr(scope.get("route"), "path", None)
    action = ACTIONS.get((scope["method"], path or ""))
    if action is None and status not in _REFUSED:
        return
    parameters: Mapping[str, str] = scope.get("path_params", {})
    noted: dict[str, Any] = {
        "actor": NOBODY,
        "target": _target(parameters),
        "event_key": _event_key(parameters),
    }
    noted |= scope["state"].get("noted", {})
    log_action(
        action or "request",
        _outcome(status),
        source=(scope.get("client") or ("",))[0],
        status=status,
        route=f"{scope['method']} {path}" if path else None,
        **noted,
    )


def _outcome(status: int) -> str:
    if status < HTTPStatus.BAD_REQUEST:
        return "done"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    return "refused" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"


def _event_key(parameters: Mapping[str, str]) -> str | None:
    """Return the key of the event that the path names beside its contract, cut like a target."""
    return parameters["key"][:_LONGEST_ID] if "key" in parameters else None


def _target(parameters: Mapping[str, str]) -> str | None:
    """Return the target that the path names; it may not have been validated, so it is cut to the length of an id."""
    for name, kind in _KINDS.items():
        if name in parameters:
            return f"{kind}:{parameters[name][:_LONGEST_ID]}"
    return None
