"""The check of the query string: every route refuses parameters that it does not take."""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

_MOST_PROBLEMS = 20
_LIKENESS = 0.7  # with less, "order" would be meant as "code"
_LONGEST_NAME = 100

QueryNames = dict[tuple[str, str], tuple[str, ...]]


def query_names(app: FastAPI) -> QueryNames:
    """Return the names of the query parameters that each route takes, in the order of the alphabet.

    Asked for when the application starts, which also makes FastAPI prepare its routes: it would otherwise do that
    in the first request, after the snapshot.
    """
    return {
        (method, str(route.path)): tuple(sorted(_names(route.dependant)))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    }


def _names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (one.alias or name for name, one in model.model_fields.items())
        else:
            yield field.alias
    for inner in dependant.dependencies:
        yield from _names(inner)


def check_query(request: Request) -> None:
    """Refuse a query string that is not UTF-8, and parameters that the route does not take or that come twice.

    An ignored parameter would change what the caller meant: `?dryrun=true` would store the event. Of two values
    one would be ignored.

    Raises:
        RequestValidationError: names each such parameter, and the known one that is most like it.
    """
    query = request.scope["query_string"]
    if not query:
        return
    _require_utf8(query)
    known = request.app.state.query_names.get((request.method, request.scope["route"].path), ())
    problems = list(islice(_problems(request, known), _MOST_PROBLEMS))
    if problems:
        raise RequestValidationError(problems)


def _require_utf8(query: bytes) -> None:
    """Refuse what Starlette would silently replace by other text."""
    for parameter in query.split(b"&"):
        try:
            unquote_to_bytes(parameter).decode()
        except UnicodeDecodeError:
            name = unquote_to_bytes(parameter.partition(b"=")[0]).decode(errors="ignore")
            raise RequestValidationError([_problem(name, "must be UTF-8")]) from None


def _problems(request: Request, known: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            yield _problem(name, f"is not a parameter of this; {_hint(name[:_LONGEST_NAME], known)}")
        elif name in seen:
            yield _problem(name, "must be given once")
        seen.add(name)


def _problem(name: str, message: str) -> dict[str, Any]:
    return {"type": "value_error", "loc": ("query", name) if name else ("query",), "msg": message}


def _hint(name: str, known: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    if nearest := get_close_matches(name.lower().replace("-", "_"), known, 1, _LIKENESS):
        return f"did you mean {nearest[0]}?"
    *others, last = known or ("none",)
    return f"it takes {', '.join(others)} and {last}" if others else f"it takes {last}"
