"""The OpenAPI document, against the OpenAPI specification and against the spec of the service."""

from copy import deepcopy
from typing import Any
from urllib.parse import urljoin

import pytest
import schemathesis
from fastapi.testclient import TestClient

from functions.api.error_codes import ErrorCode
from functions.api.error_shape import Error
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
                (kind,) = response["content"]
                assert kind == "application/json"
                assert response["content"][kind]["schema"] == ERROR, (method, path, status)
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
        # Every route refuses parameters that it does not take.
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
            kind, body = next(iter(operation["requestBody"]["content"].items()))
            assert kind in ("application/json", "application/x-www-form-urlencoded")
            schema = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
            assert schema["additionalProperties"] is False


def test_the_service_accepts_every_example_of_a_body(api: TestClient, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    (contract,) = schemas["ContractPayload"]["examples"]
    (event,) = schemas["EventPayload"]["examples"]

    assert api.post("/contract", json=contract).status_code == 201
    assert api.post("/event", json=event).json()["status"] == "accepted"


def test_every_example_of_an_answer_names_the_fields_of_its_schema(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    shown = {name for name, schema in schemas.items() if schema.get("examples") and "required" in schema}
    assert shown >= {"EventVerdict", "BulkVerdict", "TimelineView"}
    for name in shown:
        for example in schemas[name]["examples"]:
            assert set(schemas[name]["required"]) <= set(example) <= set(schemas[name]["properties"])


def test_numbers_have_the_limits_that_the_service_enforces(document: dict[str, Any]) -> None:
    limit = document["paths"]["/contract"]["get"]["parameters"][0]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)

    schemas = document["components"]["schemas"]
    assert schemas["BulkPayload"]["properties"]["events"]["maxItems"] == 500
    assert schemas["ContractPayload"]["properties"]["components"]["uniqueItems"] is True
    assert schemas["ContractPayload"]["properties"]["contract_number"]["pattern"] == "^[A-Za-z0-9._-]{1,64}$"


def test_every_error_has_an_example_of_its_own_kind(document: dict[str, Any]) -> None:
    examples = document["components"]["examples"]
    assert list(examples) == [code.value for code in ErrorCode]
    for name, example in examples.items():
        read = Error.model_validate(example["value"])
        assert (read.code, bool(read.details)) == (name, name == "validation_error")
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            if is_error(status):
                named = response["content"]["application/json"]["examples"]
                assert named, (method, path, status)
                for name, example in named.items():
                    assert example == {"$ref": f"#/components/examples/{name}"}
                    code = ErrorCode[name.upper()]
                    possible = {str(code.status)}
                    possible |= {"400"} if code is ErrorCode.VALIDATION_ERROR else set()
                    possible |= {"default"} if code is ErrorCode.INTERNAL_ERROR else set()
                    assert status in possible, (method, path, status, name)


# Generated clients have functions of these names: one that is changed or removed breaks its callers.
OPERATION_IDS = {
    "contracts": "create_contract list_contracts get_contract change_contract delete_contract create_contracts",
    "events and timelines": "post_event post_events get_timeline get_timeline_by_number",
    "trail": "list_contract_events get_contract_event replay_contract void_event",
    "portfolio": "list_portfolio count_portfolio list_portfolio_changes list_events",
    "smart meters": (
        "list_meters get_meter put_meter get_completeness put_readings delete_readings get_readings "
        "get_reading_history"
    ),
    "exports": (
        "create_export create_contracts_export get_export_status download_export list_exports cancel_export"
    ),
    "authentication": "register log_in log_in_oauth2 log_in_short refresh log_out",
    "users": "get_me change_me list_users create_user get_user change_user delete_user",
    "API keys": "create_api_key list_api_keys revoke_api_key",
    "service": "get_service get_health get_readiness",
}


def test_operations_keep_the_names_that_generated_clients_have(document: dict[str, Any]) -> None:
    named: dict[str, set[str]] = {}
    for _, _, operation in operations(document):
        (tag,) = operation["tags"]
        named.setdefault(tag, set()).add(operation["operationId"])
    assert named == {tag: set(names.split()) for tag, names in OPERATION_IDS.items()}


def test_contracts_events_and_timelines_come_first(document: dict[str, Any]) -> None:
    assert [tag["name"] for tag in document["tags"]] == list(OPERATION_IDS)
    assert all(tag["description"] for tag in document["tags"])
    order = [operation["tags"][0] for _, _, operation in operations(document)]
    assert order[0] == "contracts"
    assert order[-1] == "service"


def test_every_operation_has_a_summary_of_its_own(document: dict[str, Any]) -> None:
    summaries = [operation["summary"] for _, _, operation in operations(document)]
    assert sorted(set(summaries)) == sorted(summaries)


def test_the_login_takes_json_and_the_token_endpoint_a_form(document: dict[str, Any]) -> None:
    kinds = {
        path: list(document["paths"][path]["post"]["requestBody"]["content"])
        for path in ("/api/v1/auth/login", "/api/v1/auth/token", "/token")
    }
    form = ["application/x-www-form-urlencoded"]
    assert kinds == {"/api/v1/auth/login": ["application/json"], "/api/v1/auth/token": form, "/token": form}


def test_no_two_classes_share_a_name(document: dict[str, Any]) -> None:
    # FastAPI gives those the name of their module too.
    assert not [name for name in document["components"]["schemas"] if "__" in name]
