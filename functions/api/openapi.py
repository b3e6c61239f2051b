"""The OpenAPI document: what FastAPI generates from the routes, and the access rule of each operation."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from functions.api.access import ACCESS_RULES, AccessRule
from functions.api.error_shape import ERROR_REFERENCE, Error

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
"""The body of a login. Its route parses it, since it may be JSON or a form, so FastAPI cannot describe it."""

_SCHEMES = {
    "password": {
        "type": "oauth2",
        "description": "Log in with a username and a password",
        # Relative, so that it is right under the stage path of a gateway too.
        "flows": {"password": {"tokenUrl": "api/v1/auth/token", "scopes": {}}},
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class DescribedApp(FastAPI):
    """FastAPI with an OpenAPI document that says who may call each operation."""

    def openapi(self) -> dict[str, Any]:
        """Return the document; it is generated once."""
        from functions.api.users.schemas import LoginForm, LoginPayload  # noqa: PLC0415 - for the document only

        if self.openapi_schema is None:
            document = super().openapi()
            components = document["components"]
            components["securitySchemes"] = _SCHEMES
            for body in (LoginPayload, LoginForm):
                components["schemas"][body.__name__] = body.model_json_schema()
            error = Error.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
            components["schemas"] |= {**error.pop("$defs"), Error.__name__: error}
            components["schemas"] = dict(sorted(components["schemas"].items()))
            for (method, path), rule in ACCESS_RULES.items():
                operation = document["paths"].get(path, {}).get(method.lower())
                if operation is not None and rule is not AccessRule.PUBLIC:
                    _describe_access(operation, rule)
        return super().openapi()


def _describe_access(operation: dict[str, Any], rule: AccessRule) -> None:
    schemes = ["password"] if rule is AccessRule.SESSION else list(_SCHEMES)
    operation["security"] = [{scheme: []} for scheme in schemes]
    for status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        error = {"application/json": {"schema": ERROR_REFERENCE}}
        operation["responses"][str(status.value)] = {"description": status.phrase, "content": error}
    operation["responses"] = dict(sorted(operation["responses"].items()))
