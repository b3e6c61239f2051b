"""Access to a stage: callers, roles, queue policies, and the defaults of its parameters."""

import json
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from domain.exports import folder_of
from infra.build.packaging import ROOT
from infra.commands.command_error import CommandError
from infra.contracts.contract_items import key_of
from infra.contracts.trail_rows import partition_of
from infra.exports.files import URL_SECONDS
from infra.local.publish import SOURCE as PUBLISHER
from infra.settings import ApiSettings, SettingsError, read_settings
from tests.template.claims import (
    Claim,
    Claims,
    Defect,
    Expansions,
    check,
    of_type,
    properties,
    source,
    target_of,
)

claims = Claims([])


@pytest.mark.parametrize(
    ("parameter", "default"),
    [
        ("AuthMode", "required"),
        ("Registration", "closed"),
        ("AllowedOrigins", ""),
        ("AllowCredentials", "false"),
        ("AllowedHosts", ""),
        ("ProtectData", "true"),
    ],
)
def test_a_stage_is_closed_and_protected_by_default(parameter: str, default: str) -> None:
    assert source()["Parameters"][parameter]["Default"] == default


@pytest.mark.parametrize(
    ("mistake", "correction", "message"),
    [
        ({"AuthMode": "open"}, {"Stage": "local"}, "AuthMode=open is for local runs only"),
        (
            {"AllowCredentials": "true", "AllowedOrigins": "*"},
            {"AllowedOrigins": "https://example.com"},
            "would let any site act as its visitors",
        ),
        ({"Stage": "prod", "ProtectData": "false"}, {"Stage": "dev"}, "Stage=prod needs ProtectData=true"),
    ],
)
def test_parameters_that_would_open_a_stage_by_mistake_are_refused(
    mistake: dict[str, str], correction: dict[str, str], message: str
) -> None:
    template = Expansions(source())
    with pytest.raises(CommandError, match=message):
        template.with_(**mistake)
    assert template.with_(**(mistake | correction))["Resources"]


def _address_in_the_template(resources: dict[str, Any]) -> None:
    variables = resources["ApiFunction"]["Properties"]["Environment"]["Variables"]
    variables["AWS_ENDPOINT_URL"] = "http://localhost:4566"


@claims.fails_with(_address_in_the_template)
def what_is_deployed_does_not_start_open_whatever_its_stage_is_called(template: Expansions) -> None:
    resources = template.with_(Stage="local", AuthMode="open")["Resources"]
    given = resources["ApiFunction"]["Properties"]["Environment"]["Variables"]
    variables = {name: value if isinstance(value, str) else "a resource" for name, value in given.items()}
    assert not starts_with(variables)
    assert starts_with({**variables, "AUTH_MODE": "required"})


def starts_with(variables: dict[str, str]) -> bool:
    try:
        return bool(read_settings(ApiSettings, variables))
    except SettingsError:
        return False


SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_the_template_has_the_parameters_of_each_deployment_in_samconfig(environment: str) -> None:
    """SAM CLI ignores a parameter that the template does not have: the stage would get the default."""
    overrides = SAMCONFIG[environment]["deploy"]["parameters"]["parameter_overrides"]
    chosen = dict(choice.split("=", 1) for choice in overrides.split())
    assert Expansions(source()).with_(**chosen)["Resources"]
    assert SAMCONFIG[environment]["global"]["parameters"]["stack_name"].endswith(f"-{chosen['Stage']}")


def statements(resources: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement of the policies in resources of a type, with the logical id of the resource."""
    for name, resource in of_type(resources, kind).items():
        documents = [policy["PolicyDocument"] for policy in resource.get("Policies", [])]
        documents += [resource["PolicyDocument"]] if "PolicyDocument" in resource else []
        for document in documents:
            yield from ((name, statement) for statement in document["Statement"])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


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


@claims.fails_with(properties("HttpApiPermission", Principal="*"))
@claims.fails_with(properties("HttpApiPermission", SourceArn=None))
def only_the_gateway_calls_the_api(template: Expansions) -> None:
    (permission,) = [
        resource
        for resource in of_type(template.everything, "Lambda::Permission").values()
        if resource["Principal"] != "events.amazonaws.com"
    ]
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"]["Fn::Sub"].endswith(":${AWS::AccountId}:${HttpApi}/*")


def _public_queue(resources: dict[str, Any]) -> None:
    statement = resources["IngestionQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    statement["Principal"] = "*"


@claims.fails_with(_public_queue)
def only_the_rule_sends_to_its_queues(template: Expansions) -> None:
    rule = {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["ComponentEventRule", "Arn"]}}}
    allowing = [
        (policy, statement)
        for policy, statement in statements(template.everything, "SQS::QueuePolicy")
        if statement["Effect"] == "Allow"
    ]
    assert [policy for policy, _ in allowing] == ["IngestionQueuePolicy", "RuleDeadLetterQueuePolicy"]
    for policy, statement in allowing:
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}, policy
        assert (statement["Action"], statement["Condition"]) == ("sqs:SendMessage", rule)


def _pattern_without(key: str) -> Defect:
    def defect(resources: dict[str, Any]) -> None:
        del resources["ComponentEventRule"]["Properties"]["EventPattern"][key]

    return defect


def taken_from(template: Expansions, **parameters: str) -> dict[str, Any]:
    """Return what the rule takes: lists, with `OWN` for the stack's account."""
    pattern = template.with_(**parameters)["Resources"]["ComponentEventRule"]["Properties"]["EventPattern"]
    taken = {}
    for key, value in pattern.items():
        if isinstance(value, dict):
            separator, text = value["Fn::Split"]
            taken[key] = ("OWN" if text == {"Ref": "AWS::AccountId"} else text).split(separator)
        else:
            taken[key] = value
    return taken


@claims.fails_with(_pattern_without("source"))
@claims.fails_with(_pattern_without("account"))
@claims.fails_with(_pattern_without("detail-type"))
def the_rule_takes_events_of_listed_accounts_and_sources_only(template: Expansions) -> None:
    kinds = ["component_event", "meter_readings"]
    assert taken_from(template) == {"account": ["OWN"], "source": [PUBLISHER], "detail-type": kinds}
    accounts, sources = "123456789012,210987654321", "crm.contracts,metering"
    chosen = taken_from(template, PublisherAccounts=accounts, PublisherSources=sources)
    assert chosen == {"account": accounts.split(","), "source": sources.split(","), "detail-type": kinds}


@claims.fails_with(lambda resources: resources["BusPolicy"].pop("Condition"))
@claims.fails_with(lambda resources: resources["BusPolicy"]["Properties"]["Statement"].update(Principal="*"))
@claims.fails_with(
    lambda resources: resources["BusPolicy"]["Properties"]["Statement"].update(Action="events:*")
)
def other_accounts_put_events_on_the_bus_only_where_they_are_listed(template: Expansions) -> None:
    assert not of_type(template.defaults, "Events::EventBusPolicy")
    resources = template.with_(PublisherAccounts="123456789012,210987654321")["Resources"]
    (policy,) = of_type(resources, "Events::EventBusPolicy").values()
    assert (target_of(policy["EventBusName"]), policy["Statement"]) == (
        "EventBus",
        {
            "Effect": "Allow",
            "Principal": {"AWS": {"Fn::Split": [",", "123456789012,210987654321"]}},
            "Action": "events:PutEvents",
            "Resource": {"Fn::GetAtt": ["EventBus", "Arn"]},
        },
    )


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


def _signatures_of(milliseconds: int) -> Defect:
    def defect(resources: dict[str, Any]) -> None:
        for statement in resources["ExportBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]:
            if "NumericGreaterThan" in statement["Condition"]:
                statement["Condition"] = {"NumericGreaterThan": {"s3:signatureAge": milliseconds}}

    return defect


@claims.fails_with(_signatures_of(24 * 3_600_000))
@claims.fails_with(_signatures_of(60_000))
def a_signed_url_counts_for_as_long_as_we_sign_it_and_never_for_more_than_an_hour(
    template: Expansions,
) -> None:
    (refusal,) = [
        statement
        for _, statement in statements(template.everything, "S3::BucketPolicy")
        if "NumericGreaterThan" in statement["Condition"]
    ]
    assert (refusal["Effect"], refusal["Principal"], refusal["Action"]) == ("Deny", "*", "s3:*")
    assert len(refusal["Resource"]) == 2  # the bucket, and what is in it
    assert 1000 * URL_SECONDS < refusal["Condition"]["NumericGreaterThan"]["s3:signatureAge"] <= 3_600_000


def _queue_without_tls(resources: dict[str, Any]) -> None:
    del resources["TlsOnlyPolicy"]["Properties"]["Queues"][0]


def _ineffective_policy(resources: dict[str, Any]) -> None:
    statement = resources["ExportBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"][0]
    statement["Action"] = "s3:ListBucket"


@claims.fails_with(_queue_without_tls)
@claims.fails_with(_ineffective_policy)
def queues_and_files_refuse_callers_without_tls(template: Expansions) -> None:
    resources = template.everything
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    covered = set()
    for kind, key in (("SQS::QueuePolicy", "Queues"), ("S3::BucketPolicy", "Bucket")):
        for policy, statement in statements(resources, kind):
            if statement.get("Condition") == plain:
                assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
                assert statement["Action"] == ("s3:*" if kind.startswith("S3") else "sqs:*")
                covered |= {target_of(target) for target in as_list(resources[policy]["Properties"][key])}
    assert covered == of_type(resources, "SQS::Queue").keys() | of_type(resources, "S3::Bucket").keys()


@claims.fails_with(properties("TlsOnlyPolicy", Queues=[{"Ref": "ExportQueue"}, {"Ref": "IngestionQueue"}]))
def a_queue_has_one_policy_and_its_statements_are_about_that_queue(template: Expansions) -> None:
    """SQS allows one policy for a queue, and refuses statements about another queue."""
    policies = of_type(template.everything, "SQS::QueuePolicy")
    queues = [target_of(queue) for policy in policies.values() for queue in policy["Queues"]]
    assert len(queues) == len(set(queues))
    for policy in policies.values():
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Resource"] != "*":
                (queue,) = policy["Queues"]
                assert target_of(statement["Resource"]) == target_of(queue)


@claims.fails_with(properties("HttpApiStage", DefaultRouteSettings=None))
def the_gateway_limits_requests(template: Expansions) -> None:
    limits = template.defaults["HttpApiStage"]["Properties"]["DefaultRouteSettings"]
    assert 0 < int(limits["ThrottlingRateLimit"]) <= int(limits["ThrottlingBurstLimit"])


@claims.fails_with(properties("SigningSecret", GenerateSecretString={"PasswordLength": 8}))
def the_secret_is_generated_with_more_than_256_bits(template: Expansions) -> None:
    generated = template.everything["SigningSecret"]["Properties"]["GenerateSecretString"]
    assert generated["PasswordLength"] * 5.9 > 256  # one of 62 characters has almost 6 bits
    assert generated["GenerateStringKey"] == "current"


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_access(claim: Claim, defect: Defect) -> None:
    check(claim, defect)
