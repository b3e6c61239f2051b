"""The routes of the API: each checks access and the query string before anything else of the request is read.

A route class, since FastAPI parses the body before it asks a dependency, which also takes 1 % of the time of an event.
"""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.responses import Response

from functions.api.access import check_access
from functions.api.error_shape import Error
from functions.api.query_parameters import check_query


class CheckedRoute(APIRoute):
    """A route that answers only callers whom its access rule lets in; without a rule it answers nobody."""

    malformed_status = HTTPStatus.UNPROCESSABLE_ENTITY

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler behind the checks.

        The handler raises:
            UnauthenticatedError: the request has no valid credentials.
            ForbiddenError: the credentials do not satisfy the rule, or the route has no rule.
            RequestValidationError: the query string has parameters that the route does not take.
        """
        handle = super().get_route_handler()

        async def check_and_handle(request: Request) -> Response:
            check_access(request)
            check_query(request)
            return await handle(request)

        return check_and_handle


class BadRequestRoute(CheckedRoute):
    """A route that answers 400 instead of 422 to a malformed request, as the routes of exports and meters do."""

    malformed_status = HTTPStatus.BAD_REQUEST


def checked_router(*, route_class: type[CheckedRoute] = CheckedRoute, **options: Any) -> APIRouter:  # noqa: ANN401
    """Return a router of checked routes, which stand in an application as they are.

    It has itself what FastAPI's `include_router` would add to a copy of each route. Copies would be prepared a second
    time in a cold start, and found through one more layer, which takes 1 to 5 % of the time of an event.
    """
    return APIRouter(
        route_class=route_class,
        responses={"default": {"model": Error, "description": "Any other error"}},
        generate_unique_id_function=lambda route: route.name,
        **options,
    )


def require_checks(app: FastAPI) -> None:
    """Refuse an application with a route that anybody could call.

    Raises:
        TypeError: names a route that is not a `CheckedRoute`.
    """
    for route in iter_route_contexts(app.routes):
        if not isinstance(route.original_route, CheckedRoute):
            message = (
                f"{route.path} checks no access: it must be a CheckedRoute, as checked_router() makes them"
            )
            raise TypeError(message)
