"""A client that openapi-python-client generates from the document: without a warning, and it can be used."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from domain.meters.csv_format import COLUMNS
from infra.build.packaging import ROOT
from tests.conftest import application
from tests.functions.api.people import PASSWORD, make_user

# What takes seconds is made once for these tests.
pytestmark = pytest.mark.xdist_group("generated-client")

PACKAGE = "energy_operations_client"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Generate the client, as docs/clients.md says; a warning is an error."""
    folder = tmp_path_factory.mktemp("client")
    document = folder / "openapi.json"
    document.write_text(json.dumps(application().openapi()))
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    command += ["--config", str(ROOT / "docs/openapi-python-client.yaml"), "--meta", "none"]
    command += ["--output-path", str(folder / PACKAGE), "--fail-on-warning"]
    # It formats the client with ruff, which it looks for on the PATH.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "warning" not in (run.stdout + run.stderr).lower()
    sys.path.insert(0, str(folder))
    yield PACKAGE
    sys.path.remove(str(folder))


@pytest.fixture
def call(generated: str, api: TestClient) -> Callable[..., Any]:
    """Return what calls an operation by its module's path below `api`, and returns the parsed answer."""
    transport = httpx.ASGITransport(app=api.app)

    def send(operation: str, *arguments: Any, token: str = "", **named: Any) -> Any:
        function = importlib.import_module(f"{generated}.api.{operation}").asyncio_detailed
        client = importlib.import_module(generated).AuthenticatedClient(
            base_url="http://api", token=token, httpx_args={"transport": transport}
        )
        work: Coroutine[Any, Any, Any] = function(*arguments, client=client, **named)
        # Not asyncio.run, which leaves no event loop behind, and Mangum asks for the current one.
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(work)
        finally:
            loop.close()

    return send


@pytest.fixture
def models(generated: str) -> Any:
    return importlib.import_module(f"{generated}.models")


def test_every_operation_has_a_function_of_its_name(generated: str) -> None:
    for item in application().openapi()["paths"].values():
        for operation in item.values():
            tag = operation["tags"][0].lower().replace(" ", "_")
            module = importlib.import_module(f"{generated}.api.{tag}.{operation['operationId']}")
            assert callable(module.sync)


def test_contracts_events_and_timelines(call: Callable[..., Any], models: Any) -> None:
    supply = models.Component.ENERGY_SUPPLY
    payload = models.ContractPayload(contract_number="1001", components=[supply])
    assert call("contracts.create_contract", body=payload).parsed.contract_number == "1001"

    event = models.EventPayload(
        type_=models.EventType.SUPPLY_ENERGY_START,
        contract_number="1001",
        date=date(2024, 1, 1),
        created_at=datetime.fromisoformat("2023-12-01T09:30:00+00:00"),
    )
    events = "events_and_timelines"
    dry = call(f"{events}.post_event", body=event, dry_run=True).parsed
    assert (dry.status, dry.dry_run) == ("accepted", True)
    assert call(f"{events}.post_event", body=event).parsed.code is models.Code.ACCEPTED
    refused = call(f"{events}.post_event", body=event).parsed
    assert (refused.code, refused.blocked_by.date) == (models.Code.STALE_START, date(2024, 1, 1))

    timeline = call(f"{events}.get_timeline", "1001").parsed
    assert timeline.components.additional_properties["energy_supply"].start == date(2024, 1, 1)
    trail = call("trail.list_contract_events", "1001").parsed
    assert [row.code for row in trail.items] == [models.Code.ACCEPTED, models.Code.STALE_START]
    assert trail.next_cursor is None


def test_errors_have_a_code_that_is_an_enum(call: Callable[..., Any], models: Any) -> None:
    missing = call("contracts.get_contract", "9999")
    assert (missing.status_code, missing.parsed.code) == (404, models.ErrorCode.CONTRACT_NOT_FOUND)
    assert missing.parsed.request_id == missing.headers["X-Request-ID"]
    bad = call("smart_meters.list_meters", limit=0)
    assert (bad.status_code, bad.parsed.code) == (400, models.ErrorCode.VALIDATION_ERROR)
    assert [detail.field for detail in bad.parsed.details] == ["limit"]


def test_readings_as_json_and_csv_and_their_export(
    call: Callable[..., Any], generated: str, models: Any
) -> None:
    midnight = datetime.fromisoformat("2024-01-01T00:00:00+00:00")
    reading = models.ReadingPayload(timestamp=midnight, energy_kwh=0.25)
    sent = call("smart_meters.put_readings", "m-1", body=models.ReadingsPayload(readings=[reading]))
    assert sent.parsed.stored == 1
    csv = f"{','.join(COLUMNS)}\r\n2024-01-01T00:00:00Z,m-1,0.5,,,\r\n".encode()
    file = importlib.import_module(f"{generated}.types").File(payload=csv)
    assert call("smart_meters.put_readings", "m-1", body=file).parsed.updated == 1
    page = call("smart_meters.get_readings", "m-1").parsed
    assert [(item.timestamp, item.energy_kwh, item.power_kw) for item in page.items] == [
        (midnight, 0.5, None)
    ]

    order = models.ExportPayload(
        smart_meter_id="m-1", start_datetime=midnight, end_datetime=midnight + timedelta(days=1)
    )
    job = call("exports.create_export", body=order).parsed
    assert call("exports.get_export_status", job.job_id).parsed.status == "pending"
    unknown = call("exports.get_export_status", "00000000-0000-4000-8000-000000000000").parsed
    assert unknown.status == "not_found"


def test_logins_and_keys(call: Callable[..., Any], models: Any) -> None:
    make_user("ada")
    login = models.LoginPayload(username="ada", password=PASSWORD)
    token = call("authentication.log_in", body=login).parsed.access_token
    form = models.LoginForm(username="ada", password=PASSWORD)
    for operation in ("log_in_oauth2", "log_in_short"):
        assert call(f"authentication.{operation}", body=form).parsed.expires_in == 900
    assert call("users.get_me", token=token).parsed.username == "ada"
    key = call("api_keys.create_api_key", body=models.ApiKeyPayload(name="gateway"), token=token).parsed
    assert [one.id for one in call("api_keys.list_api_keys", token=token).parsed.items] == [key.id]
