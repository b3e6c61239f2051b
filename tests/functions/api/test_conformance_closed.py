"""Generated requests where credentials are required: without any, and with an admin's."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error

from domain.users import Role
from functions.api.access import ACCESS_RULES, AccessRule
from tests.api_client import ApiClient
from tests.functions.api.calls import create
from tests.functions.api.people import Headers, bearer, log_in, make_key, make_user
from tests.functions.api.test_conformance import CHECKS, EXAMPLES, OPERATIONS, of_contract_1001, operation_of
from tests.proof_level import IS_FULL

# Without credentials the answer does not depend on the request, and with them only access differs from the open mode.
FEW = EXAMPLES if IS_FULL else min(EXAMPLES, 2)


def rule_of(label: str) -> AccessRule:
    method, _, path = label.partition(" ")
    return ACCESS_RULES[method, path]


GUARDED = [label for label in OPERATIONS if rule_of(label) is not AccessRule.PUBLIC]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("closed")]


@pytest.mark.parametrize("label", GUARDED)
def test_without_credentials_every_request_is_401(api: TestClient, label: str) -> None:
    operation = operation_of(api, label)
    legal = operation.as_strategy(GenerationMode.POSITIVE)
    illegal = operation.as_strategy(GenerationMode.NEGATIVE)

    @settings(max_examples=FEW, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(legal | illegal)
    def refuses(case: Case[Any]) -> None:
        answer = case.call()
        # A request may be so odd that it is another one: of no route, or of no method.
        assert answer.status_code in {401, 404, 405}
        if answer.status_code == 401:
            case.validate_response(answer, checks=[not_a_server_error, *CHECKS])

    refuses()


@pytest.mark.parametrize("label", GUARDED)
def test_with_credentials_every_answer_matches_the_document(api: TestClient, label: str) -> None:
    shown = _credentials_for(api, rule_of(label))
    create(api_with(api, shown))
    operation = operation_of(api, label)
    legal = operation.as_strategy(GenerationMode.POSITIVE)
    illegal = operation.as_strategy(GenerationMode.NEGATIVE)

    @settings(max_examples=FEW, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(legal | legal.map(of_contract_1001) | illegal)
    def conforms(case: Case[Any]) -> None:
        if isinstance(case.body, dict):
            case.body.pop("password", None)  # which would end the session
        answer = case.call(headers=shown)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code != 401

    conforms()


def _credentials_for(api: TestClient, rule: AccessRule) -> Headers:
    make_user("root", Role.ADMIN)
    session = bearer(log_in(api, "root"))
    if rule is AccessRule.SESSION:
        return session
    return {"X-API-Key": make_key(api, session, Role.ADMIN)["key"]}


def api_with(api: TestClient, shown: Headers) -> TestClient:
    caller = ApiClient(api.app)
    caller.headers.update(shown)
    return caller
