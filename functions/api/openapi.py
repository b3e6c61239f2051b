"""The OpenAPI document: what FastAPI generates from the routes, the access rules, and the errors of each operation."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts

from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.error_codes import ErrorCode
from functions.api.error_shape import add_errors, example_of

_SCHEMAS = "#/components/schemas/"


def _login_body(kind: str, schema: str) -> dict[str, Any]:
    content = {kind: {"schema": {"$ref": f"{_SCHEMAS}{schema}"}}}
    return {"requestBody": {"required": True, "content": content}}


# The route parses its body itself, so FastAPI cannot describe it. It takes both kinds at every address; each address
# shows one, since openapi-python-client makes a module of two kinds that cannot be imported.
LOGIN_BODY = _login_body("application/json", "LoginPayload")
TOKEN_BODY = _login_body("application/x-www-form-urlencoded", "LoginForm")

_SCHEMES = {
    "password": {
        "type": "oauth2",
        "description": "Log in with a username and a password",
        # Relative, so that it is right under the stage path of a gateway too.
        "flows": {"password": {"tokenUrl": "api/v1/auth/token", "scopes": {}}},
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_TAGS = {
    "contracts": "Contracts and their components",
    "events and timelines": "Events that start and end components, the verdict on each, and what follows from them",
    "trail": "What was decided and corrected, and corrections",
    "portfolio": "All contracts at once",
    "dead letters": "What could not be processed, and sending it again",
    "smart meters": "Meters, their readings, and sums in market time",
    "exports": "Files of readings and contracts",
    "authentication": "Registration, login, refresh, logout",
    "users": "One's own account, and for admins all accounts",
    "API keys": "Credentials for machines",
    "service": "Name, version and health",
}
_ALWAYS_ANSWER = ("/", "/health")

_DESCRIPTION = """\
Contract component timelines: accepts or refuses each event, and says why. Smart meter readings, and exports of them.

## For every route
- Errors have one shape, `Error`; its `code` is in the table below.
- A query parameter that a route does not take, or that comes twice, is an error that names it and the nearest known \
one; nothing is stored.
- Each answer has `X-Request-ID`. A caller's own `X-Request-ID` (up to 128 of `A-Z a-z 0-9 . _ ~ : / @ + = -`) is \
logged and comes back as `X-Client-Request-ID`.
- `HEAD` works where `GET` does. Answers of a kibibyte and more are compressed for `Accept-Encoding: gzip`, but not \
those with tokens or keys.
- What `GET` shows has an `ETag`; with it in `If-None-Match` the answer is 304 without a body if nothing has changed.
- Lists answer `items` and `next_cursor`, which is null at the end; the header `Link` with `rel="next"` has the address \
of the next page, relative to that of this one.

## Verdicts
An event that can be read is answered with 200 and a verdict. The rules are tried in this order; the first one broken \
answers.

{verdicts}

Other codes in successful answers:

{others}

## Errors
{errors}
"""


class DescribedApp(FastAPI):
    """FastAPI with an OpenAPI document that says who may call each operation and which errors it answers."""

    def openapi(self) -> dict[str, Any]:
        """Return the document; it is generated once."""
        # For the document only: no other request pays for these imports.
        from functions.api.code_tables import errors_table, others_table, verdicts_table  # noqa: PLC0415
        from functions.api.meters.upload_body import UPLOAD_SCHEMAS  # noqa: PLC0415
        from functions.api.users.schemas import LoginForm, LoginPayload  # noqa: PLC0415

        if self.openapi_schema is None:
            document = super().openapi()
            document["info"]["description"] = _DESCRIPTION.format(
                verdicts=verdicts_table(), others=others_table(), errors=errors_table()
            )
            document["paths"] = dict(sorted(document["paths"].items(), key=_place_of))
            document["tags"] = [{"name": name, "description": text} for name, text in _TAGS.items()]
            components = document["components"]
            components["securitySchemes"] = _SCHEMES
            components["examples"] = {code.value: example_of(code) for code in ErrorCode}
            for body in (LoginPayload, LoginForm):
                components["schemas"][body.__name__] = body.model_json_schema()
            components["schemas"] |= UPLOAD_SCHEMAS
            for route in iter_route_contexts(self.routes):
                for method in route.methods or ():
                    operation = document["paths"].get(route.path, {}).get(method.lower())
                    if operation is not None:
                        _describe(operation, method, route)
        return super().openapi()


def _place_of(path: tuple[str, dict[str, Any]]) -> int:
    """Return where the operations of a path stand in the document: by their tag."""
    (tag,) = next(iter(path[1].values()))["tags"]
    return list(_TAGS).index(tag)


def _describe(operation: dict[str, Any], method: str, route: RouteContext) -> None:
    """Add who may call an operation, and the errors that do not depend on what the route does."""
    rule = ACCESS_RULES[method, str(route.path)]
    if rule is not AccessRule.PUBLIC:
        schemes = ["password"] if rule is AccessRule.SESSION else list(_SCHEMES)
        operation["security"] = [{scheme: []} for scheme in schemes]
    responses = operation["responses"]
    malformed = getattr(route.original_route, "malformed_status", ErrorCode.VALIDATION_ERROR.status)
    add_errors(responses, str(int(malformed)), [ErrorCode.VALIDATION_ERROR])
    for code in _errors_of(operation, method, str(route.path), rule):
        add_errors(responses, str(code.status), [code])
    del responses["default"]
    add_errors(responses, "default", [ErrorCode.INTERNAL_ERROR])
    operation["responses"] = dict(sorted(responses.items()))


def _errors_of(operation: dict[str, Any], method: str, path: str, rule: AccessRule) -> Iterator[ErrorCode]:
    if rule is not AccessRule.PUBLIC:
        yield from (ErrorCode.UNAUTHORIZED, ErrorCode.FORBIDDEN)
    if "requestBody" in operation:
        yield ErrorCode.PAYLOAD_TOO_LARGE
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
        yield ErrorCode.INVALID_CURSOR
    if path not in _ALWAYS_ANSWER:
        yield ErrorCode.SERVICE_UNAVAILABLE
    if method != "GET":
        yield from (ErrorCode.BUSY, ErrorCode.OUTCOME_UNKNOWN)
