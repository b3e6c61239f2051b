"""The FastAPI application: its routes, middleware and error handlers."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, FastAPI

from functions.api import VERSION
from functions.api.allowed_hosts import AllowedHosts
from functions.api.checked_routes import CheckedRoute, checked_router, require_checks
from functions.api.contracts import events
from functions.api.cors import Cors
from functions.api.dependencies import provided
from functions.api.error_statuses import add_error_handlers
from functions.api.middleware import RequestFrame, RequestGuard
from functions.api.openapi import DescribedApp
from functions.api.query_parameters import query_names
from functions.api.representations import Representations
from functions.api.schemas import Health, Readiness, ServiceInfo
from infra.settings import ApiSettings, settings
from infra.stores import Stores

router = checked_router(tags=["service"])


class Table(Protocol):
    """A store that can say whether its table answers."""

    def ping(self) -> None:
        """Ask the table for something."""


def _tables(stores: Stores) -> list[Table]:
    return [
        stores.contracts,
        stores.users,
        stores.throttles,
        stores.idempotency,
        stores.meters,
        stores.exports,
        stores.portfolio,
    ]


Tables = Annotated[list[Table], provided(_tables)]


@router.get("/")
async def get_service() -> ServiceInfo:
    """Name the service, its version and its stage."""
    return ServiceInfo(service="energy-operations", version=VERSION, stage=settings(ApiSettings).stage)


@router.get("/health")
async def get_health() -> Health:
    """Report that the process answers; checks nothing else."""
    return Health()


@router.get("/health/ready")
async def get_readiness(tables: Tables) -> Readiness:
    """Report whether the tables answer."""
    for table in tables:
        table.ping()
    return Readiness()


def start(routers: Sequence[APIRouter] | None = None) -> FastAPI:
    """Return the application with the settings of the environment; refuses unsafe settings.

    Raises:
        SettingsError: a variable is missing or has a value that is not allowed.
    """
    chosen = settings(ApiSettings)
    return create_app(
        chosen.allowed_origins,
        chosen.allowed_hosts,
        allow_credentials=chosen.allow_credentials,
        routers=routers,
    )


def event_routers() -> list[APIRouter]:
    """Return the routes of events that are sent, the most frequent requests."""
    return [events.router]


def all_routers() -> list[APIRouter]:
    """Return the routes of all capabilities; they are imported here, since that takes a third of a cold start."""
    from functions.api import docs
    from functions.api.console import routes as console
    from functions.api.contracts import bulk, contracts, timelines, trails
    from functions.api.dead_letters import dead_letters
    from functions.api.exports import exports, histories
    from functions.api.meters import completeness, meters, readings
    from functions.api.portfolio import portfolio
    from functions.api.users import api_keys, logins, users

    # Events first: the routes are tried in this order.
    parts = [events, docs, console, contracts, bulk, timelines, trails, portfolio, dead_letters]
    parts += [meters, completeness, readings, exports, histories, logins, users, api_keys]
    return [*(part.router for part in parts), router]


def create_app(
    origins: Sequence[str] = (),
    hosts: Sequence[str] = (),
    *,
    allow_credentials: bool = False,
    routers: Sequence[APIRouter] | None = None,
) -> FastAPI:
    """Return the application with `routers`, by default all.

    Web pages of `origins` may call it, and it answers to `hosts`, or to any if empty.
    """
    app = DescribedApp(
        title="Energy Operations",
        version=VERSION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.route_class = CheckedRoute
    for part in all_routers() if routers is None else routers:
        app.router.routes.extend(part.routes)
    require_checks(app)
    app.state.query_names = query_names(app)
    add_error_handlers(app)
    app.add_middleware(RequestGuard)
    if origins:
        app.add_middleware(Cors, origins, credentials=allow_credentials)
    if hosts:
        app.add_middleware(AllowedHosts, hosts)
    app.add_middleware(Representations)
    app.add_middleware(RequestFrame)
    return app
