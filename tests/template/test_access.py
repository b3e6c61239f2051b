"""Access to a stage from outside: callers, policies of queues and files, and the defaults of its parameters."""

import tomllib
from typing import Any

import pytest

from infra.build.packaging import ROOT
from infra.commands.command_error import CommandError
from infra.dead_letters import QUEUES
from infra.exports.files import URL_SECONDS
from infra.local.publish import SOURCE as PUBLISHER
from infra.settings import ApiSettings, SettingsError
from tests.template.claims import (
    Claim,
    Claims,
    Defect,
    Expansions,
    as_list,
    check,
    of_type,
    properties,
    source,
    statements,
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
        return bool(ApiSettings(variables))
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


def _swapped_queues(resources: dict[str, Any]) -> None:
    variables = resources["ApiFunction"]["Properties"]["Environment"]["Variables"]
    variables["RULE_DEAD_LETTER_QUEUE_URL"] = variables["PUBLISHER_DEAD_LETTER_QUEUE_URL"]


@claims.fails_with(_swapped_queues)
def the_api_knows_each_dead_letter_queue_by_its_name(template: Expansions) -> None:
    variables = template.everything["ApiFunction"]["Properties"]["Environment"]["Variables"]
    for queue in QUEUES:
        url = variables[f"{queue.upper()}_DEAD_LETTER_QUEUE_URL"]
        assert target_of(url) == f"{queue.capitalize()}DeadLetterQueue"
    assert target_of(variables["INGESTION_QUEUE_URL"]) == "IngestionQueue"


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
