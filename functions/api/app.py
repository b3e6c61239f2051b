"""The FastAPI application: its routes, middleware and error handlers."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, FastAPI

from functions.api import VERSION, docs
from functions.api.access import check_access, check_access_before_validation_errors
from functions.api.allowed_hosts import AllowedHosts
from functions.api.contracts import contracts, events, timelines, trails
from functions.api.contracts.dependencies import Contracts
from functions.api.cors import Cors
from functions.api.dependencies import IdempotencyKeys, check_query
from functions.api.error_shape import describe
from functions.api.error_statuses import add_error_handlers
from functions.api.exports import exports
from functions.api.exports.dependencies import Exports
from functions.api.meters import completeness, meters, readings
from functions.api.meters.dependencies import Meters
from functions.api.middleware import RequestFrame, RequestGuard
from functions.api.openapi import DescribedApp
from functions.api.schemas import Health, Readiness, ServiceInfo
from functions.api.users import api_keys, logins, users
from functions.api.users.dependencies import Throttles, Users
from infra.settings import ApiSettings, settings

router = APIRouter(tags=["service"])


@router.get("/")
async def get_service() -> ServiceInfo:
    """Name the service, its version and its stage."""
    return ServiceInfo(service="energy-operations", version=VERSION, stage=settings(ApiSettings).stage)


@router.get("/health")
async def get_health() -> Health:
    """Report that the process answers; checks nothing else."""
    return Health()


@router.get("/health/ready", responses=describe(503))
async def get_readiness(
    contracts: Contracts,
    users: Users,
    throttles: Throttles,
    keys: IdempotencyKeys,
    meters: Meters,
    exports: Exports,
) -> Readiness:
    """Report whether the tables answer."""
    for table in (contracts, users, throttles, keys, meters, exports):
        table.ping()
    return Readiness()


def start() -> FastAPI:
    """Return the application with the settings of the environment; refuses unsafe settings.

    Raises:
        pydantic.ValidationError: a variable is missing or has a value that is not allowed.
    """
    chosen = settings(ApiSettings)
    return create_app(
        chosen.allowed_origins, chosen.allowed_hosts, allow_credentials=chosen.allow_credentials
    )


def create_app(
    origins: Sequence[str] = (), hosts: Sequence[str] = (), *, allow_credentials: bool = False
) -> FastAPI:
    """Return the application; web pages of `origins` may call it, and it answers to `hosts`, or to any if empty."""
    app = DescribedApp(
        title="Energy Operations",
        version=VERSION,
        description=(
            "Contract component timelines: accepts or refuses each event, and says why. "
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
        events.router,
        timelines.router,
        trails.router,
        exports.router,
        meters.router,
        completeness.router,
        readings.router,
    ):
        app.include_router(part)
    add_error_handlers(app)
    check_access_before_validation_errors(app)
    app.add_middleware(RequestGuard)
    if origins:
        app.add_middleware(Cors, origins, credentials=allow_credentials)
    if hosts:
        app.add_middleware(AllowedHosts, hosts)
    app.add_middleware(RequestFrame)
    return app
