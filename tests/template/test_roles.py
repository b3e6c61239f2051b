"""The roles of the functions: each may do what its function does, and no more."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from domain.exports import folder_of
from infra.contracts.contract_items import key_of
from infra.contracts.trail_rows import partition_of
from tests.template.claims import (
    Claim,
    Claims,
    Defect,
    Expansions,
    as_list,
    check,
    of_type,
    statements,
    target_of,
)

claims = Claims([])


def _all_of_dynamodb(resources: dict[str, Any]) -> None:
    role = resources["IngestionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][-1]
    role["Action"] = "dynamodb:*"


@claims.fails_with(_all_of_dynamodb)
def roles_list_their_actions_and_resources(template: Expansions) -> None:
    found = list(statements(template.everything, "IAM::Role"))
    assert len(found) > 30
    for role, statement in found:
        for action in as_list(statement["Action"]):
            assert "*" not in action, role
            assert action != "dynamodb:Scan"
        if statement["Resource"] == "*":
            assert statement["Action"] == "dynamodb:ListStreams", (
                role
            )  # it allows no restriction to resources


def _shared_role(resources: dict[str, Any]) -> None:
    resources["ExportFunction"]["Properties"]["Role"] = {"Fn::GetAtt": ["ApiRole", "Arn"]}


@claims.fails_with(_shared_role)
def each_function_has_a_role_of_its_own(template: Expansions) -> None:
    functions = of_type(template.everything, "Lambda::Function")
    roles = {target_of(resource["Role"]) for resource in functions.values()}
    assert len(roles) == len(functions) == 6
    for role in roles:
        trusted = template.everything[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert [statement["Principal"] for statement in trusted] == [{"Service": "lambda.amazonaws.com"}]


def _portfolio_for_the_api(resources: dict[str, Any]) -> None:
    policy = resources["ApiRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    (asking,) = (one for one in policy["Statement"] if one["Sid"] == "AskPortfolio")
    asking["Action"].append("dynamodb:PutItem")


def _contracts_for_the_portfolio(resources: dict[str, Any]) -> None:
    policy = resources["PortfolioRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    contracts = {"Fn::GetAtt": ["ContractsTable", "Arn"]}
    policy["Statement"].append({"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": contracts})


@claims.fails_with(_portfolio_for_the_api)
@claims.fails_with(_contracts_for_the_portfolio)
def only_who_follows_the_stream_writes_the_portfolio_and_it_writes_nothing_else(template: Expansions) -> None:
    """What it reads of contracts is their stream; their table is closed to it."""
    reads = {"dynamodb:GetItem", "dynamodb:Query"}
    for role, statement in statements(template.everything, "IAM::Role"):
        text, actions = json.dumps(statement["Resource"]), statement["Action"]
        if '"PortfolioTable"' in text and role != "PortfolioRole":
            assert role == "ApiRole"
            assert set(actions) <= reads
        if role == "PortfolioRole" and "dynamodb:" in str(actions):
            assert '"ContractsTable", "Arn"' not in text
            if '"PortfolioTable"' in text:
                assert "dynamodb:Scan" not in actions


def _ingestion_reads_users(resources: dict[str, Any]) -> None:
    policy = resources["IngestionRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    users = {"Fn::GetAtt": ["UsersTable", "Arn"]}
    policy["Statement"].append({"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": users})


@claims.fails_with(_ingestion_reads_users)
def only_the_api_reaches_users_and_the_secret(template: Expansions) -> None:
    for name in ("UsersTable", "ThrottlesTable", "SigningSecret"):
        reaching = {
            role
            for role, statement in statements(template.everything, "IAM::Role")
            if f'"{name}"' in json.dumps(statement)
        }
        assert reaching == {"ApiRole"}, name


def _api_updates_trails(resources: dict[str, Any]) -> None:
    for policy in resources["ApiRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement.get("Sid") == "ChangeContracts":
                del statement["Condition"]


@claims.fails_with(_api_updates_trails)
def the_rows_of_a_trail_are_added_and_never_changed(template: Expansions) -> None:
    contracts = {"Fn::GetAtt": ["ContractsTable", "Arn"]}
    for role, statement in statements(template.everything, "IAM::Role"):
        changing = {"dynamodb:UpdateItem", "dynamodb:DeleteItem"} & {*as_list(statement["Action"])}
        if changing and contracts in as_list(statement["Resource"]):
            condition = statement["Condition"]
            keys = condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            if condition.get("StringEquals") == {"dynamodb:EnclosingOperation": "TransactWriteItems"}:
                assert keys == ["CONTRACT#*", "TRAIL#*"], role
            else:
                assert keys == ["CONTRACT#*"], role


def may_write(template: Expansions, role: str, action: str, key: str) -> bool:
    """Return whether a role may write an item of the contracts table under `key`, outside of a transaction."""
    contracts = {"Fn::GetAtt": ["ContractsTable", "Arn"]}
    return any(
        fnmatchcase(key, pattern)
        for name, statement in statements(template.everything, "IAM::Role")
        if name == role and f"dynamodb:{action}" in as_list(statement["Action"])
        if contracts in as_list(statement["Resource"]) and "StringEquals" not in statement["Condition"]
        for pattern in statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    )


def _wrong_partition(resources: dict[str, Any]) -> None:
    for policy in resources["IngestionRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Sid"] == "AppendToTrails":
                statement["Condition"] = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["EVENT#*"]}}


@claims.fails_with(_wrong_partition)
def roles_may_write_the_rows_that_the_code_writes(template: Expansions) -> None:
    """The emulated AWS ignores conditions on keys: on AWS a wrong condition would refuse every event."""
    contract, trail = key_of("1001")["pk"]["S"], partition_of("1001", 1)
    for role, creates in (("ApiRole", True), ("IngestionRole", False)):
        assert may_write(template, role, "PutItem", trail), role
        assert may_write(template, role, "UpdateItem", contract), role
        assert not may_write(template, role, "UpdateItem", trail), role
        assert may_write(template, role, "PutItem", contract) == creates, role


def _listing_of_everything(resources: dict[str, Any]) -> None:
    for statement in resources["ExportRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
        if "s3:ListBucket" in as_list(statement["Action"]):
            del statement["Condition"]


@claims.fails_with(_listing_of_everything)
def roles_list_the_exports_of_the_bucket_and_nothing_else(template: Expansions) -> None:
    listing = [
        (role, statement.get("Condition"))
        for role, statement in statements(template.everything, "IAM::Role")
        if "s3:ListBucket" in as_list(statement["Action"])
    ]
    within = {"StringLike": {"s3:prefix": "exports/*"}}
    assert listing == [("ApiRole", within), ("ExportRole", within)]
    assert fnmatchcase(folder_of("job"), "exports/*")


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_roles(claim: Claim, defect: Defect) -> None:
    check(claim, defect)
