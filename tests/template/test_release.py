"""How a change reaches callers, and how functions are fed."""

import json
from typing import Any

import pytest

from tests.template.claims import (
    KEY,
    Claim,
    Claims,
    Defect,
    Expansions,
    everything_in,
    holds,
    named,
    of_type,
    properties,
    source,
)

claims = Claims([])

LIVE = {"ApiFunction", "IngestionFunction"}
FUNCTIONS = {*LIVE, "PublisherFunction", "PortfolioFunction", "ExportFunction", "ExportSweepFunction"}


def _route_to_the_newest(resources: dict[str, Any]) -> None:
    uri = resources["HttpApiIntegration"]["Properties"]["IntegrationUri"]
    uri["Fn::Sub"] = uri["Fn::Sub"].replace(":live", "")


@claims.but_for(_route_to_the_newest)
@claims.but_for(properties("HttpApiPermission", FunctionName={"Ref": "ApiFunction"}))
def callers_and_events_reach_the_live_version(template: Expansions) -> None:
    resources = template.everything
    uri = resources["HttpApiIntegration"]["Properties"]["IntegrationUri"]["Fn::Sub"]
    assert uri.endswith("/functions/${ApiFunction.Arn}:live/invocations")
    assert resources["HttpApiPermission"]["Properties"]["FunctionName"] == {"Ref": "ApiFunctionAliaslive"}
    feed = resources["IngestionFunctionQueue"]["Properties"]
    assert feed["FunctionName"] == {"Ref": "IngestionFunctionAliaslive"}


def alarms_of(resources: dict[str, Any], function: str) -> set[str]:
    group = resources[f"{function}DeploymentGroup"]["Properties"]
    assert group["AutoRollbackConfiguration"]["Enabled"]
    assert group["AlarmConfiguration"]["Enabled"]
    return {named(alarm["Name"]) for alarm in group["AlarmConfiguration"]["Alarms"]}


def _blind_canary(resources: dict[str, Any]) -> None:
    del resources["IngestionFunction"]["Properties"]["DeploymentPreference"]["Alarms"]


@claims.but_for(properties("ApiFunction", DeploymentPreference=None))
@claims.but_for(_blind_canary)
def a_canary_is_taken_back_on_its_alarms(template: Expansions) -> None:
    resources = template.everything
    assert alarms_of(resources, "ApiFunction") == {"ApiServerErrorsAlarm", "ApiErrorsAlarm"}
    assert alarms_of(resources, "IngestionFunction") == {"IngestionErrorsAlarm", "OutcomeUnknownAlarm"}
    for function in LIVE:
        update = resources[f"{function}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert named(update["DeploymentGroupName"]) == f"{function}DeploymentGroup"


def _always_a_canary(resources: dict[str, Any]) -> None:
    resources["ApiFunction"]["Properties"]["DeploymentPreference"]["Enabled"] = True


@claims.but_for(_always_a_canary)
def a_canary_is_asked_for(template: Expansions) -> None:
    assert not of_type(template.defaults, "CodeDeploy::DeploymentGroup")


@claims.but_for(properties("ApiFunction", SnapStart=None))
def the_api_starts_from_a_snapshot(template: Expansions) -> None:
    for parameters, when in (({}, "PublishedVersions"), ({"Snapshot": "false"}, "None")):
        api = template.with_(**parameters)["Resources"]["ApiFunction"]["Properties"]
        assert api["SnapStart"] == {"ApplyOn": when}


@claims.but_for(lambda resources: resources["ApiFunction"].pop("DeletionPolicy"))
@claims.but_for(lambda resources: resources["IngestionFunction"].pop("UpdateReplacePolicy"))
def an_earlier_version_is_deleted(template: Expansions) -> None:
    """One that stays has a snapshot that is paid for, and keeps the same build from being published again."""
    kept = {
        name: (made.get("DeletionPolicy"), made.get("UpdateReplacePolicy"))
        for name, made in template.everything.items()
        if made["Type"] == "AWS::Lambda::Version"
    }
    assert len(kept) == len(LIVE)
    assert set(kept.values()) == {("Delete", "Delete")}


def _silent_parameter(resources: dict[str, Any]) -> None:
    described = resources["ApiFunction"]["Properties"]["VersionDescription"]["Fn::Sub"]
    described[0] = described[0].replace("${LogLevel}", "")


def _silent_key(resources: dict[str, Any]) -> None:
    described = resources["IngestionFunction"]["Properties"]["VersionDescription"]["Fn::Sub"]
    described[0] = described[0].replace("${KeyId}", "")


OTHER_VALUES = {
    "EventLogDays": "7",
    "AllowCredentials": "true",
    "AllowedHosts": "example.com",
    "AllowedOrigins": "https://example.com",
    "Architecture": "arm64",
    "AuthMode": "open",
    "EnableEventAudit": "false",
    "KmsKeyArn": KEY,
    "LogLevel": "DEBUG",
    "MaxReceives": "7",
    "Registration": "open",
    "Snapshot": "false",
    "Stage": "local",
}


def description(resources: dict[str, Any], function: str) -> str:
    """Return what a version is described as; of the key its id."""
    (version,) = [
        made["Description"]
        for made in of_type(resources, "Lambda::Version").values()
        if named(made["FunctionName"]) == function
    ]
    text, own = version["Fn::Sub"]
    key = own["KeyId"]
    if isinstance(key, dict):
        index, parts = key["Fn::Select"]
        separator, whole = parts["Fn::Split"]
        key = whole.split(separator)[int(index)]
    return str(text).replace("${KeyId}", key)


@claims.but_for(_silent_parameter)
@claims.but_for(_silent_key)
def another_parameter_is_another_version(template: Expansions) -> None:
    """SAM publishes when the template's text changes; what the parameters are must be told otherwise."""
    text = template.source
    common = text["Globals"]["Function"]
    for function in LIVE:
        reaching = {
            part["Ref"]
            for part in everything_in([common, text["Resources"][function]["Properties"]["Environment"]])
            if isinstance(part, dict) and part.get("Ref") in text["Parameters"]
        } | ({"Snapshot"} if function == "ApiFunction" else set())
        assert reaching <= OTHER_VALUES.keys()
        before = template.with_(Stage="local")["Resources"]
        for name in reaching - {"Stage"}:
            after = template.with_(Stage="local", **{name: OTHER_VALUES[name]})["Resources"]
            assert description(after, function) != description(before, function), name
        assert description(before, function) != description(template.defaults, function)


def test_the_description_of_a_version_is_never_too_long() -> None:
    longest = {
        "Stage": "s" * 16,
        "LogLevel": "WARNING",
        "AllowedOrigins": "o" * 100,
        "AllowCredentials": "false",
        "Snapshot": "false",
        "AllowedHosts": "h" * 50,
        "EventLogDays": "90",
        "KmsKeyArn": KEY,
    }
    parameters = source()["Parameters"]
    assert parameters["AllowedOrigins"]["MaxLength"] == 100
    assert parameters["AllowedHosts"]["MaxLength"] == 50
    assert parameters["EventLogDays"]["MaxValue"] == 90
    resources = Expansions(source()).with_(**longest)["Resources"]
    for function in LIVE:
        assert KEY.split("/")[1] in description(resources, function)
        assert len(description(resources, function)) <= 256, function


def versions(resources: dict[str, Any]) -> set[str]:
    return set(of_type(resources, "Lambda::Version"))


def _silent_layer(resources: dict[str, Any]) -> None:
    del resources["DependencyLayer"]["Properties"]["PublishLambdaVersion"]


@claims.but_for(_silent_layer)
@claims.but_for(properties("ApiFunction", AutoPublishAliasAllProperties=False))
def other_dependencies_are_another_version(template: Expansions) -> None:
    before = versions(template.defaults)
    text = {**template.source, "Resources": {**template.source["Resources"]}}
    layer = dict(text["Resources"]["DependencyLayer"])
    layer["Properties"] = {**layer["Properties"], "ContentUri": {"Bucket": "artifacts", "Key": "other.zip"}}
    text["Resources"]["DependencyLayer"] = layer
    assert versions(Expansions(text).defaults).isdisjoint(before)


@claims.but_for(properties("PublisherFunction", Architectures=["x86_64"]))
def functions_and_their_layer_are_for_one_processor(template: Expansions) -> None:
    for choice in ("x86_64", "arm64"):
        resources = template.with_(Architecture=choice)["Resources"]
        functions = of_type(resources, "Lambda::Function")
        assert functions.keys() == FUNCTIONS
        assert {tuple(made["Architectures"]) for made in functions.values()} == {(choice,)}
        (layer,) = of_type(resources, "Lambda::LayerVersion").values()
        assert layer["CompatibleArchitectures"] == [choice]


def _late_api(resources: dict[str, Any]) -> None:
    resources["HttpApi"] = resources.pop("HttpApi")


@claims.but_for(_late_api)
def sam_local_reads_the_api_before_the_functions(template: Expansions) -> None:
    names = list(template.source["Resources"])
    kinds = [template.source["Resources"][name]["Type"] for name in names]
    last_of_api = max(index for index, kind in enumerate(kinds) if kind.startswith("AWS::ApiGatewayV2::"))
    assert last_of_api < kinds.index("AWS::Serverless::Function")


@claims.but_for(properties("IngestionQueue", VisibilityTimeout=60))
@claims.but_for(properties("ExportFunction", Timeout=900))
def a_message_stays_hidden_for_six_times_its_functions_timeout(template: Expansions) -> None:
    consumers = queue_sources(template)
    assert consumers.keys() == {"IngestionQueue", "ExportQueue"}
    for queue, made in consumers.items():
        function = named(made["FunctionName"]).removesuffix("Aliaslive")
        timeout = template.everything[function]["Properties"]["Timeout"]
        assert template.everything[queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout, queue


def queue_sources(template: Expansions) -> dict[str, Any]:
    """Return the event sources that are queues, by the queue."""
    sources = of_type(template.everything, "Lambda::EventSourceMapping").values()
    return {
        named(made["EventSourceArn"]): made
        for made in sources
        if "StreamArn" not in str(made["EventSourceArn"])
    }


def _unlimited(resources: dict[str, Any]) -> None:
    del resources["IngestionFunction"]["Properties"]["Events"]["Queue"]["Properties"]["ScalingConfig"]


@claims.but_for(_unlimited)
def a_full_queue_does_not_take_all_functions_of_the_account(template: Expansions) -> None:
    for made in queue_sources(template).values():
        assert 2 <= made["ScalingConfig"]["MaximumConcurrency"] <= 50


def _whole_batches(resources: dict[str, Any]) -> None:
    del resources["IngestionFunction"]["Properties"]["Events"]["Queue"]["Properties"]["FunctionResponseTypes"]


@claims.but_for(_whole_batches)
def only_what_failed_comes_again(template: Expansions) -> None:
    sources = of_type(template.everything, "Lambda::EventSourceMapping")
    assert len(sources) == 4
    for made in sources.values():
        assert made["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def _stuck_stream(resources: dict[str, Any]) -> None:
    del resources["PublisherFunction"]["Properties"]["Events"]["Stream"]["Properties"]["DestinationConfig"]


def _endless_retries(resources: dict[str, Any]) -> None:
    resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"][
        "MaximumRetryAttempts"
    ] = -1


def _shared_dead_letters(resources: dict[str, Any]) -> None:
    stream = resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"]
    stream["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0] = "PublisherDeadLetterQueue"


@claims.but_for(_stuck_stream)
@claims.but_for(_endless_retries)
@claims.but_for(_shared_dead_letters)
def one_bad_change_does_not_hold_up_the_others(template: Expansions) -> None:
    for reader in ("Publisher", "Portfolio"):
        made = template.everything[f"{reader}FunctionStream"]["Properties"]
        assert made["BisectBatchOnFunctionError"] is True
        assert 0 < made["MaximumRetryAttempts"] <= 20
        assert named(made["DestinationConfig"]["OnFailure"]["Destination"]) == f"{reader}DeadLetterQueue"


def _deaf_portfolio(resources: dict[str, Any]) -> None:
    del resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"]["FilterCriteria"]


def _costly_silence(resources: dict[str, Any]) -> None:
    stream = resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"]
    (one,) = stream["FilterCriteria"]["Filters"]
    one["Pattern"] = one["Pattern"]["Fn::If"][1]


@claims.but_for(_deaf_portfolio)
@claims.but_for(_costly_silence)
def events_reach_the_portfolio_only_where_they_are_logged(template: Expansions) -> None:
    """Without a log of events by day nothing is run, or paid, for them."""
    for days, keys in (("30", ["CONTRACT", {"prefix": "EVENT#"}]), ("0", ["CONTRACT"])):
        resources = template.with_(EventLogDays=days)["Resources"]
        (one,) = resources["PortfolioFunctionStream"]["Properties"]["FilterCriteria"]["Filters"]
        assert json.loads(one["Pattern"]) == {"dynamodb": {"Keys": {"sk": {"S": keys}}}}


@claims.but_for(properties("ExportQueue", RedrivePolicy=None))
@claims.but_for(properties("IngestionDeadLetterQueue", MessageRetentionPeriod=60))
def what_is_given_up_is_kept_for_two_weeks(template: Expansions) -> None:
    queues = of_type(template.everything, "SQS::Queue")
    targets = {
        named(made["RedrivePolicy"]["deadLetterTargetArn"])
        for name, made in queues.items()
        if name in queue_sources(template)
    }
    assert targets == {"IngestionDeadLetterQueue", "ExportDeadLetterQueue"}
    for name, made in queues.items():
        if name.endswith("DeadLetterQueue"):
            assert made["MessageRetentionPeriod"] == 14 * 24 * 3600, name


def _forgetful_rule(resources: dict[str, Any]) -> None:
    del resources["ComponentEventRule"]["Properties"]["Targets"][0]["DeadLetterConfig"]


def _echo(resources: dict[str, Any]) -> None:
    pattern = resources["ComponentEventRule"]["Properties"]["EventPattern"]
    pattern["detail-type"].append("timeline_changed")


@claims.but_for(_forgetful_rule)
@claims.but_for(_echo)
def the_rule_loses_nothing_and_takes_back_nothing(template: Expansions) -> None:
    rule = template.everything["ComponentEventRule"]["Properties"]
    assert rule["EventPattern"]["detail-type"] == ["component_event", "meter_readings"]
    (target,) = rule["Targets"]
    assert named(target["DeadLetterConfig"]["Arn"]) == "RuleDeadLetterQueue"
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 24 * 3600


@claims.but_for(properties("ApiFunction", Timeout=60))
def the_api_answers_before_the_gateway_gives_up(template: Expansions) -> None:
    gateway = template.everything["HttpApiIntegration"]["Properties"]["TimeoutInMillis"]
    assert template.everything["ApiFunction"]["Properties"]["Timeout"] * 1000 < gateway <= 30_000


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_releases(claim: Claim, defect: Defect) -> None:
    holds(claim, defect)
