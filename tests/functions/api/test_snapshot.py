"""What is prepared before the snapshot from which the API starts."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from fastapi.testclient import TestClient
from mangum import Mangum

from functions.api.app import create_app
from functions.api.snapshot import prepare
from infra import aws, secrets
from infra.stores import stores
from tests.functions.api.calls import create, event
from tests.functions.api.conftest import Calls
from tests.functions.api.people import bearer, log_in, make_user


def test_preparing_only_reads(calls: Calls) -> None:
    secrets.forget()
    prepare(Mangum(create_app(), lifespan="off"))
    assert calls == ["GetItem"]


def test_the_first_token_after_the_snapshot_needs_no_secret(closed: None, api: TestClient) -> None:
    make_user("ada", role="operator")  # type: ignore[arg-type]
    token = bearer(log_in(api, "ada"))
    secrets.forget()
    stores().__dict__.pop("tokens", None)
    prepare(Mangum(create_app(), lifespan="off"))
    asked: list[str] = []

    def note(**_: Any) -> None:
        asked.append("GetSecretValue")

    aws.secrets_manager().meta.events.register_first("before-send.secrets-manager.*", note)
    assert api.get("/contract", headers=token).status_code == 200
    assert asked == []


def test_a_service_that_does_not_answer_does_not_stop_the_snapshot(
    dynamodb_raises: Callable[[Exception], None], api: TestClient
) -> None:
    dynamodb_raises(ConnectTimeoutError(endpoint_url="https://dynamodb"))
    prepare(Mangum(create_app(), lifespan="off"))


def test_connections_are_closed_and_open_again_when_they_are_needed(api: TestClient) -> None:
    create(api)
    prepare(Mangum(create_app(), lifespan="off"))
    assert api.post("/event", json=event()).status_code == 200


IMPORTED_WITH_EVENTS = """
import sys
import functions.api.handler
print("jwt" in sys.modules, "functions.api.meters.readings" in sys.modules, "functions.api.portfolio.portfolio" in sys.modules)
"""


def imported(**variables: str) -> str:
    """Import the handler in a process of its own; return which later modules it has imported."""
    import os  # noqa: PLC0415

    environment = {**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9", **variables}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_WITH_EVENTS],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_cold_start_imports_the_routes_of_events_alone(environment: None) -> None:
    assert imported() == "False False False"


@pytest.mark.slow
def test_a_snapshot_contains_all_routes(environment: None) -> None:
    assert imported(AWS_LAMBDA_INITIALIZATION_TYPE="snap-start") == "True True True"
