"""The functions that are started: those of the service, and their peers, each with a first call that does its work."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import exports
from domain.meters.readings import Interval
from infra.build.packaging import ROOT
from infra.exports.job_items import StoredJob, to_item
from tests.bench.artifacts import Artifacts
from tests.bench.fresh import Start
from tests.bench.stub import Item

_EVENTS = ROOT / "tests" / "events"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "POWERTOOLS_SERVICE_NAME": "energy-operations",
    "POWERTOOLS_METRICS_NAMESPACE": "EnergyOperations",
    "STAGE": "local",
    "AUTH_MODE": "open",
    "CONTRACTS_TABLE": "contracts",
    "PORTFOLIO_TABLE": "portfolio",
    "READINGS_TABLE": "readings",
    "EXPORT_JOBS_TABLE": "export-jobs",
    "EXPORT_BUCKET": "exports",
    "EXPORT_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/111122223333/exports",
    "SIGNING_SECRET": "signing",
    "IDEMPOTENCY_TABLE": "idempotency",
    "USERS_TABLE": "users",
    "THROTTLES_TABLE": "throttles",
    "INGESTION_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/111122223333/ingestion",
    "MAX_RECEIVES": "6",
    "EVENT_BUS": "bus",
} | {
    f"{queue}_DEAD_LETTER_QUEUE_URL": f"https://sqs.eu-central-1.amazonaws.com/111122223333/{queue.lower()}"
    for queue in ("RULE", "INGESTION", "PUBLISHER", "PORTFOLIO", "EXPORT")
}
API = "API: POST /event"
TUTORIAL = "tutorial app (FastAPI, Mangum, boto3)"


def request(path: str = "/event") -> dict[str, Any]:
    """Return a call of API Gateway that posts an event."""
    event: dict[str, Any] = json.loads((_EVENTS / "http_api_event.json").read_text())
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event.update(rawQueryString="", queryStringParameters=None)
    return event


def _example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_EVENTS / name).read_text())
    return found


def peers(artifacts: Artifacts) -> list[Start]:
    """Return what the service is compared with."""
    call = request()
    return [
        Start("empty handler", "empty.handler", artifacts.peer, call, environment=ENVIRONMENT),
        Start("bare handler, boto3", "bare.handler", artifacts.peer, call, environment=ENVIRONMENT),
        Start(
            "Powertools HTTP resolver, validation, boto3",
            "powertools_http.handler",
            artifacts.peer,
            call,
            environment=ENVIRONMENT,
        ),
        Start(TUTORIAL, "tutorial.handler", artifacts.peer, call, environment=ENVIRONMENT),
        Start(
            "the same without bytecode, as `sam build` leaves it",
            "tutorial.handler",
            artifacts.peer_without_bytecode,
            call,
            environment=ENVIRONMENT,
        ),
    ]


def functions(artifacts: Artifacts) -> list[Start]:
    """Return the functions of the service, each with a first call that does its work."""
    return [
        _ours(API, "functions.api.handler.handler", artifacts, request()),
        _ours(
            "ingestion: one event",
            "functions.ingestion.handler.handler",
            artifacts,
            _example("ingestion_batch.json"),
        ),
        _ours(
            "publisher: one change",
            "functions.publisher.handler.handler",
            artifacts,
            _example("stream_batch.json"),
        ),
        _ours(
            "portfolio: one change",
            "functions.portfolio.handler.handler",
            artifacts,
            _example("stream_batch.json"),
        ),
        _ours(
            "exporter: ten minutes",
            "functions.exporter.handler.handler",
            artifacts,
            _example("export_message.json"),
            _export_items(),
        ),
    ]


def _ours(
    name: str, handler: str, artifacts: Artifacts, call: Any, items: Sequence[tuple[str, Item]] = ()
) -> Start:
    return Start(name, handler, artifacts.service, call, items, ENVIRONMENT)


def _export_items() -> list[tuple[str, Item]]:
    """Return a simulated meter and an export job of ten of its minutes."""
    at = datetime(2024, 1, 1, tzinfo=UTC)
    job_id = json.loads(_example("export_message.json")["Records"][0]["body"])["job_id"]
    job = exports.new_job(job_id, "123", Interval(at, at + timedelta(minutes=10)), "bench", at)
    meter: Item = {
        "pk": {"S": "METER#123"},
        "sk": {"S": "METER"},
        "meter_id": {"S": "123"},
        "meter_kind": {"S": "simulated"},
        "created_at": {"N": "1704067200000000"},
    }
    return [("export-jobs", to_item(StoredJob(job, "1"))), ("readings", meter)]
