"""Generated requests, legal and illegal, to every operation of the OpenAPI document."""

from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckContext, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import application
from tests.functions.api.calls import create, send
from tests.proof_level import cases

pytestmark = pytest.mark.slow

EXAMPLES = cases(4, 200)


# A request may be so odd that it is another one: of no route, or of no method.
NO_ROUTE = {"not_found", "method_not_allowed"}


def code_conformance(_: CheckContext, response: Any, case: Case[Any]) -> None:
    """The status is documented for itself, and the code of an error is one of those shown for it."""
    responses = DOCUMENT["paths"][case.path][case.method.lower()]["responses"]
    described = responses.get(str(response.status_code))
    if response.status_code < 400:
        assert described is not None
    elif response.json()["code"] not in NO_ROUTE:
        assert described is not None, response.text
        assert response.json()["code"] in described["content"]["application/json"]["examples"], response.text


CHECKS = [
    code_conformance,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

DOCUMENT = application().openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# A text that is longer than it may be can make the body too large.
SCHEMA.config.checks.negative_data_rejection.expected_statuses.append("413")
OPERATIONS = [f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item]


# A malformed entry of a list gets its own verdict: the request is a success.
TAKES_ANYTHING = {"POST /contracts", "POST /events"}


def of_contract_1001(case: Case[Any]) -> Case[Any]:
    """Return the request, about the contract that exists and, where it is an event, of our century."""
    if "contract_number" in (case.path_parameters or {}):
        case.path_parameters["contract_number"] = "1001"
    if isinstance(case.body, dict) and "type" in case.body:
        case.body |= {"contract_number": "1001", "created_at": "2024-06-01T00:00:00Z"}
    return case


def operation_of(api: TestClient, label: str) -> Any:
    """Return an operation of the application, from the document that is made and read once for all tests."""
    SCHEMA.app = api.app
    operation = SCHEMA.find_operation_by_label(label)
    assert operation is not None
    return operation


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_matches_the_document(api: TestClient, label: str) -> None:
    create(api)
    send(api)
    operation = operation_of(api, label)
    legal = operation.as_strategy(GenerationMode.POSITIVE)
    illegal = operation.as_strategy(GenerationMode.NEGATIVE)
    checks = CHECKS if label in TAKES_ANYTHING else [*CHECKS, negative_data_rejection]

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(legal | legal.map(of_contract_1001) | illegal)
    def conforms(case: Case[Any]) -> None:
        case.call_and_validate(checks=checks)

    conforms()
