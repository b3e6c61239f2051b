"""The OpenAPI document: what FastAPI makes of the routes, and what each asks of its caller."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.users.schemas import LoginForm, LoginPayload

_SCHEMAS = "#/components/schemas/"

LOGIN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": f"{_SCHEMAS}LoginPayload"}},
            "application/x-www-form-urlencoded": {"schema": {"$ref": f"{_SCHEMAS}LoginForm"}},
        },
    }
}
"""A login is read by its route, since it may be JSON or a form."""

_SCHEMES = {
    "password": {
        "type": "oauth2",
        "description": "Log in with a username and a password",
        # Relative, so that it holds below a gateway's stage too.
        "flows": {"password": {"tokenUrl": "api/v1/auth/token", "scopes": {}}},
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class DescribedApp(FastAPI):
    """FastAPI, with a document that says of each operation who may call it."""

    def openapi(self) -> dict[str, Any]:
        """Return the document; it is made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document["components"]
            components["securitySchemes"] = _SCHEMES
            for body in (LoginPayload, LoginForm):
                components["schemas"][body.__name__] = body.model_json_schema()
            for (method, path), door in ACCESS_RULES.items():
                operation = document["paths"].get(path, {}).get(method.lower())
                if operation is not None and door is not AccessRule.PUBLIC:
                    _close(operation, door)
        return super().openapi()


def _close(operation: dict[str, Any], door: AccessRule) -> None:
    schemes = ["password"] if door is AccessRule.SESSION else list(_SCHEMES)
    operation["security"] = [{scheme: []} for scheme in schemes]
    for status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        error = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Error"}}}
        operation["responses"][str(status.value)] = {"description": status.phrase, "content": error}
    operation["responses"] = dict(sorted(operation["responses"].items()))
