"""The OpenAPI document, against the OpenAPI specification and against the spec of the service."""

from copy import deepcopy
from typing import Any
from urllib.parse import urljoin

import pytest
import schemathesis
from fastapi.testclient import TestClient

from tests.conftest import application

ERROR = {"$ref": "#/components/schemas/Error"}
SERVICE = {"/", "/health", "/health/ready"}

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return application().openapi()


def test_the_document_is_served(api: TestClient, document: dict[str, Any]) -> None:
    assert api.get("/openapi.json").json() == document


def is_error(status: str) -> bool:
    return status == "default" or int(status) >= 400


def operations(document: dict[str, Any]) -> list[Operation]:
    return [(path, method, body) for path, item in document["paths"].items() for method, body in item.items()]


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    # The specification lets this be relative, its schema for JSON does not.
    flow = document["components"]["securitySchemes"]["password"]["flows"]["password"]
    assert urljoin("https://gateway.example/prod/openapi.json", flow["tokenUrl"]) == (
        "https://gateway.example/prod/api/v1/auth/token"
    )
    document = deepcopy(document)
    document["components"]["securitySchemes"]["password"]["flows"]["password"]["tokenUrl"] = "https://a.b/c"
    schemathesis.openapi.from_dict(document).validate()


def test_every_error_has_the_one_schema_and_no_other_is_left(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if is_error(status):
                assert response["content"] == {"application/json": {"schema": ERROR}}, (method, path, status)
            else:
                assert ERROR not in [body["schema"] for body in response.get("content", {}).values()]
    assert not {"HTTPValidationError", "ValidationError"} & set(document["components"]["schemas"])
    assert set(document["components"]["schemas"]["Error"]["required"]) <= {
        *("status", "code", "message", "details", "request_id"),
    }


def test_every_operation_names_the_errors_it_can_answer(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        statuses = {
            int(status) for status in operation["responses"] if is_error(status) and status != "default"
        }
        expected: set[int] = set()
        if path not in SERVICE:
            expected |= {503}
        if "security" in operation:
            expected |= {401}
        if "security" in operation and {} not in operation["security"]:
            expected |= {403}
        if "parameters" in operation or "requestBody" in operation:
            expected |= {400 if path.startswith(("/api/export", "/api/meters")) else 422}
        if path == "/health/ready":
            expected |= {503}
        if "requestBody" in operation:
            expected |= {413}
        if "{contract_number}" in path:
            expected |= {404}
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
            expected |= {400}
        if (path, method) == ("/contract", "post"):
            expected |= {409}
        assert statuses >= expected, (method, path)


def test_every_operation_of_the_specification_exists_and_has_a_summary(document: dict[str, Any]) -> None:
    assert {(method.upper(), path) for path, method, _ in operations(document)} >= {
        ("POST", "/contract"),
        ("GET", "/contract"),
        ("GET", "/contract/{contract_number}"),
        ("PATCH", "/contract/{contract_number}"),
        ("DELETE", "/contract/{contract_number}"),
        ("GET", "/contract/{contract_number}/events"),
        ("GET", "/contract/{contract_number}/events/{key}"),
        ("POST", "/contract/{contract_number}/events/{key}/void"),
        ("POST", "/contract/{contract_number}/replay"),
        ("POST", "/event"),
        ("POST", "/events"),
        ("GET", "/events"),
        ("POST", "/contracts"),
        ("GET", "/portfolio"),
        ("GET", "/portfolio/counts"),
        ("GET", "/portfolio/changes"),
        ("POST", "/api/export/contracts"),
        ("GET", "/contract/{contract_number}/contract_timeline"),
        ("GET", "/{contract_number}/contract_timeline"),
        ("POST", "/api/export/csv"),
        ("GET", "/api/export/status/{job_id}"),
        ("GET", "/api/export/download/{job_id}"),
        ("GET", "/api/export/history/{smart_meter_id}"),
        ("DELETE", "/api/export/{job_id}"),
        ("GET", "/api/meters"),
        ("GET", "/api/meters/{smart_meter_id}"),
        ("PUT", "/api/meters/{smart_meter_id}"),
        ("GET", "/api/meters/{smart_meter_id}/completeness"),
        ("PUT", "/api/meters/{smart_meter_id}/readings"),
        ("GET", "/api/meters/{smart_meter_id}/readings"),
        ("DELETE", "/api/meters/{smart_meter_id}/readings"),
        ("GET", "/api/meters/{smart_meter_id}/readings/history"),
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/health/ready"),
    }
    for path, method, operation in operations(document):
        assert operation["description"], (method, path)
        assert operation["tags"], (method, path)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_names_are_enumerated(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    assert schemas["Component"]["enum"] == ["energy_supply", "battery_optimization", "heatpump_optimization"]
    assert set(schemas["EventType"]["enum"]) == {
        f"{name}_{action}"
        for name in ("supply_energy", "battery_optimization", "heatpump_optimization")
        for action in ("start", "end")
    }
    assert schemas["Code"]["enum"] == [
        "accepted",
        "contract_not_found",
        "component_not_configured",
        "restart_after_end",
        "stale_start",
        "start_after_end_date",
        "end_without_start",
        "end_before_start",
        "stale_end",
    ]


def test_bodies_allow_no_unknown_fields_and_say_so(document: dict[str, Any]) -> None:
    for _, _, operation in operations(document):
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert schema["additionalProperties"] is False


def test_the_service_accepts_every_example_of_a_body(api: TestClient, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    (contract,) = schemas["ContractPayload"]["examples"]
    (event,) = schemas["EventPayload"]["examples"]

    assert api.post("/contract", json=contract).status_code == 201
    assert api.post("/event", json=event).json()["status"] == "accepted"


def test_every_example_of_an_answer_names_the_fields_of_its_schema(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("EventVerdict", "TimelineView"):
        for example in schemas[name]["examples"]:
            assert set(schemas[name]["required"]) <= set(example) <= set(schemas[name]["properties"])


def test_numbers_have_the_limits_that_the_service_enforces(document: dict[str, Any]) -> None:
    limit = document["paths"]["/contract"]["get"]["parameters"][0]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)

    schemas = document["components"]["schemas"]
    assert schemas["BulkPayload"]["properties"]["events"]["maxItems"] == 500
    assert schemas["ContractPayload"]["properties"]["components"]["uniqueItems"] is True
    assert schemas["ContractPayload"]["properties"]["contract_number"]["pattern"] == "^[A-Za-z0-9._-]{1,64}$"
