"""The application: its routes and what surrounds them."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, FastAPI

from functions.api import VERSION, docs
from functions.api.access import check_access, check_access_before_validation_errors
from functions.api.contracts import bulk, contracts, events, trails
from functions.api.dependencies import check_query, provided
from functions.api.error_shape import describe
from functions.api.errors import add_error_handlers
from functions.api.exports import exports
from functions.api.meters import readings
from functions.api.middleware import RequestFrame, RequestGuard
from functions.api.openapi import DescribedApp
from functions.api.origins import Cors, KnownHosts
from functions.api.portfolio import portfolio
from functions.api.schemas import Health, Readiness, ServiceInfo
from functions.api.users import api_keys, logins, users
from infra.settings import ApiSettings, settings
from infra.stores import Stores

router = APIRouter(tags=["service"])


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
    """Say that the service answers; asks nothing else."""
    return Health()


@router.get("/health/ready", responses=describe(503))
async def get_readiness(tables: Tables) -> Readiness:
    """Say whether the tables answer."""
    for table in tables:
        table.ping()
    return Readiness()


def start() -> FastAPI:
    """Return the application as the environment wants it; refuses to start where that is not safe.

    Raises:
        pydantic.ValidationError: a variable is missing, or has a value it must not have.
    """
    told = settings(ApiSettings)
    return create_app(told.allowed_origins, told.allowed_hosts, allow_credentials=told.allow_credentials)


def create_app(
    origins: Sequence[str] = (), hosts: Sequence[str] = (), *, allow_credentials: bool = False
) -> FastAPI:
    """Return the application, for pages of these `origins`, and under these names of `hosts` if any."""
    app = DescribedApp(
        title="Energy Operations",
        version=VERSION,
        description=(
            "Contract component timelines: says of each event whether it counts, and why. "
            "Smart meter readings, and exports of them as CSV."
        ),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(check_access), Depends(check_query)],
    )
    for part in (
        router,
        docs.router,
        logins.router,
        users.router,
        api_keys.router,
        contracts.router,
        bulk.router,
        events.router,
        trails.router,
        portfolio.router,
        exports.router,
        readings.router,
    ):
        app.include_router(part)
    add_error_handlers(app)
    check_access_before_validation_errors(app)
    app.add_middleware(RequestGuard)
    if origins:
        app.add_middleware(Cors, origins, credentials=allow_credentials)
    if hosts:
        app.add_middleware(KnownHosts, hosts)
    app.add_middleware(RequestFrame)
    return app
