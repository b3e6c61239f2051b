"""The application: its routes and what surrounds them."""

from fastapi import APIRouter, FastAPI

from functions.api import VERSION, contracts, docs, exports, readings, timelines, trails
from functions.api.deps import Contracts
from functions.api.errors import add_error_handlers, describe
from functions.api.meter_deps import Exports, Meters
from functions.api.middleware import RequestFrame
from functions.api.schemas import Health, Readiness, ServiceInfo
from infra.settings import ApiSettings, settings

router = APIRouter(tags=["service"])


@router.get("/")
async def get_service() -> ServiceInfo:
    """Name the service, its version and its stage."""
    return ServiceInfo(service="energy-operations", version=VERSION, stage=settings(ApiSettings).stage)


@router.get("/health")
async def get_health() -> Health:
    """Say that the service answers; asks nothing else."""
    return Health()


@router.get("/health/ready", responses=describe(503))
async def get_readiness(contracts: Contracts, meters: Meters, exports: Exports) -> Readiness:
    """Say whether the tables answer."""
    for table in (contracts, meters, exports):
        table.ping()
    return Readiness()


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(
        title="Energy Operations",
        version=VERSION,
        description=(
            "Contract component timelines: says of each event whether it counts, and why. "
            "Smart meter readings, and exports of them as CSV."
        ),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for part in (
        router,
        docs.router,
        contracts.router,
        timelines.router,
        trails.router,
        exports.router,
        readings.router,
    ):
        app.include_router(part)
    add_error_handlers(app)
    app.add_middleware(RequestFrame)
    return app
