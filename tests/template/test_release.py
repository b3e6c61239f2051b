"""How a change reaches callers, and how messages reach the functions."""

import json
from typing import Any

import pytest

from tests.template.claims import (
    KEY,
    Claim,
    Claims,
    Defect,
    Expansions,
    all_parts,
    check,
    of_type,
    properties,
    source,
    target_of,
)

claims = Claims([])

LIVE = {"ApiFunction", "IngestionFunction"}
FUNCTIONS = {*LIVE, "PublisherFunction", "PortfolioFunction", "ExportFunction", "ExportSweepFunction"}


def _route_to_the_latest_code(resources: dict[str, Any]) -> None:
    uri = resources["HttpApiIntegration"]["Properties"]["IntegrationUri"]
    uri["Fn::Sub"] = uri["Fn::Sub"].replace(":live", "")


@claims.fails_with(_route_to_the_latest_code)
@claims.fails_with(properties("HttpApiPermission", FunctionName={"Ref": "ApiFunction"}))
def callers_and_events_reach_the_live_version(template: Expansions) -> None:
    resources = template.everything
    uri = resources["HttpApiIntegration"]["Properties"]["IntegrationUri"]["Fn::Sub"]
    assert uri.endswith("/functions/${ApiFunction.Arn}:live/invocations")
    assert resources["HttpApiPermission"]["Properties"]["FunctionName"] == {"Ref": "ApiFunctionAliaslive"}
    source_of_events = resources["IngestionFunctionQueue"]["Properties"]
    assert source_of_events["FunctionName"] == {"Ref": "IngestionFunctionAliaslive"}


def alarms_of(resources: dict[str, Any], function: str) -> set[str]:
    group = resources[f"{function}DeploymentGroup"]["Properties"]
    assert group["AutoRollbackConfiguration"]["Enabled"]
    assert group["AlarmConfiguration"]["Enabled"]
    return {target_of(alarm["Name"]) for alarm in group["AlarmConfiguration"]["Alarms"]}


def _canary_without_alarms(resources: dict[str, Any]) -> None:
    del resources["IngestionFunction"]["Properties"]["DeploymentPreference"]["Alarms"]


@claims.fails_with(properties("ApiFunction", DeploymentPreference=None))
@claims.fails_with(_canary_without_alarms)
def a_canary_is_rolled_back_by_its_alarms(template: Expansions) -> None:
    resources = template.everything
    assert alarms_of(resources, "ApiFunction") == {"ApiServerErrorsAlarm", "ApiErrorsAlarm"}
    assert alarms_of(resources, "IngestionFunction") == {"IngestionErrorsAlarm", "OutcomeUnknownAlarm"}
    for function in LIVE:
        update = resources[f"{function}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert target_of(update["DeploymentGroupName"]) == f"{function}DeploymentGroup"


def _always_a_canary(resources: dict[str, Any]) -> None:
    resources["ApiFunction"]["Properties"]["DeploymentPreference"]["Enabled"] = True


@claims.fails_with(_always_a_canary)
def without_the_parameter_there_is_no_canary(template: Expansions) -> None:
    assert not of_type(template.defaults, "CodeDeploy::DeploymentGroup")


@claims.fails_with(properties("ApiFunction", SnapStart=None))
def the_api_starts_from_a_snapshot(template: Expansions) -> None:
    for parameters, when in (({}, "PublishedVersions"), ({"Snapshot": "false"}, "None")):
        api = template.with_(**parameters)["Resources"]["ApiFunction"]["Properties"]
        assert api["SnapStart"] == {"ApplyOn": when}


@claims.fails_with(lambda resources: resources["ApiFunction"].pop("DeletionPolicy"))
@claims.fails_with(lambda resources: resources["IngestionFunction"].pop("UpdateReplacePolicy"))
def an_earlier_version_is_deleted(template: Expansions) -> None:
    """A version that stays has a snapshot that is paid for, and prevents the same build from being published again."""
    policies = {
        name: (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for name, resource in template.everything.items()
        if resource["Type"] == "AWS::Lambda::Version"
    }
    assert len(policies) == len(LIVE)
    assert set(policies.values()) == {("Delete", "Delete")}


def _parameter_not_in_description(resources: dict[str, Any]) -> None:
    described = resources["ApiFunction"]["Properties"]["VersionDescription"]["Fn::Sub"]
    described[0] = described[0].replace("${AllowCredentials}", "")


def _key_not_in_description(resources: dict[str, Any]) -> None:
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
    "Tracing": "true",
}


def description(resources: dict[str, Any], function: str) -> str:
    """Return the description of a function's version, with the id of the key and what stands for options."""
    (version,) = [
        resource["Description"]
        for resource in of_type(resources, "Lambda::Version").values()
        if target_of(resource["FunctionName"]) == function
    ]
    text, own = version["Fn::Sub"]
    for name, value in own.items():
        text = text.replace(f"${{{name}}}", _selected(value))
    return str(text)


def _selected(value: Any) -> str:
    """Return a text, or the part of a text that Select and Split take."""
    if not isinstance(value, dict):
        return str(value)
    index, parts = value["Fn::Select"]
    separator, whole = parts["Fn::Split"]
    return str(whole.split(separator)[int(index)])


@claims.fails_with(_parameter_not_in_description)
@claims.fails_with(_key_not_in_description)
def another_value_of_a_parameter_is_another_version(template: Expansions) -> None:
    """SAM publishes when the template's text changes; the description adds the values of the parameters."""
    text = template.source
    common = text["Globals"]["Function"]
    for function in LIVE:
        reaching = {
            part["Ref"]
            for part in all_parts([common, text["Resources"][function]["Properties"]["Environment"]])
            if isinstance(part, dict) and part.get("Ref") in text["Parameters"]
        } | {"Tracing", *(["Snapshot"] if function == "ApiFunction" else [])}
        assert reaching <= OTHER_VALUES.keys()
        before = template.with_(Stage="local")["Resources"]
        for name in sorted(reaching - {"Stage"}):
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


def _layer_does_not_publish(resources: dict[str, Any]) -> None:
    del resources["DependencyLayer"]["Properties"]["PublishLambdaVersion"]


@claims.fails_with(_layer_does_not_publish)
@claims.fails_with(properties("ApiFunction", AutoPublishAliasAllProperties=False))
def other_dependencies_are_another_version(template: Expansions) -> None:
    before = versions(template.defaults)
    text = {**template.source, "Resources": {**template.source["Resources"]}}
    layer = dict(text["Resources"]["DependencyLayer"])
    layer["Properties"] = {**layer["Properties"], "ContentUri": {"Bucket": "artifacts", "Key": "other.zip"}}
    text["Resources"]["DependencyLayer"] = layer
    assert versions(Expansions(text).defaults).isdisjoint(before)


@claims.fails_with(properties("PublisherFunction", Architectures=["x86_64"]))
def functions_and_their_layer_are_for_one_processor(template: Expansions) -> None:
    for choice in ("x86_64", "arm64"):
        resources = template.with_(Architecture=choice)["Resources"]
        functions = of_type(resources, "Lambda::Function")
        assert functions.keys() == FUNCTIONS
        assert {tuple(resource["Architectures"]) for resource in functions.values()} == {(choice,)}
        (layer,) = of_type(resources, "Lambda::LayerVersion").values()
        assert layer["CompatibleArchitectures"] == [choice]


def _api_after_the_functions(resources: dict[str, Any]) -> None:
    resources["HttpApi"] = resources.pop("HttpApi")


@claims.fails_with(_api_after_the_functions)
def sam_local_reads_the_api_before_the_functions(template: Expansions) -> None:
    names = list(template.source["Resources"])
    kinds = [template.source["Resources"][name]["Type"] for name in names]
    last_of_api = max(index for index, kind in enumerate(kinds) if kind.startswith("AWS::ApiGatewayV2::"))
    assert last_of_api < kinds.index("AWS::Serverless::Function")


@claims.fails_with(properties("IngestionQueue", VisibilityTimeout=60))
@claims.fails_with(properties("ExportFunction", Timeout=900))
def a_message_stays_hidden_for_six_times_the_timeout_of_its_function(template: Expansions) -> None:
    consumers = queue_sources(template)
    assert consumers.keys() == {"IngestionQueue", "ExportQueue"}
    for queue, resource in consumers.items():
        function = target_of(resource["FunctionName"]).removesuffix("Aliaslive")
        timeout = template.everything[function]["Properties"]["Timeout"]
        assert template.everything[queue]["Properties"]["VisibilityTimeout"] >= 6 * timeout, queue


def queue_sources(template: Expansions) -> dict[str, Any]:
    """Return the event sources that are queues, by the logical id of the queue."""
    sources = of_type(template.everything, "Lambda::EventSourceMapping").values()
    return {
        target_of(resource["EventSourceArn"]): resource
        for resource in sources
        if "StreamArn" not in str(resource["EventSourceArn"])
    }


def _unlimited_concurrency(resources: dict[str, Any]) -> None:
    del resources["IngestionFunction"]["Properties"]["Events"]["Queue"]["Properties"]["ScalingConfig"]


@claims.fails_with(_unlimited_concurrency)
def a_full_queue_does_not_use_the_whole_concurrency_of_the_account(template: Expansions) -> None:
    for resource in queue_sources(template).values():
        assert 2 <= resource["ScalingConfig"]["MaximumConcurrency"] <= 50


def _batches_fail_as_a_whole(resources: dict[str, Any]) -> None:
    del resources["IngestionFunction"]["Properties"]["Events"]["Queue"]["Properties"]["FunctionResponseTypes"]


@claims.fails_with(_batches_fail_as_a_whole)
def only_failed_items_of_a_batch_are_delivered_again(template: Expansions) -> None:
    sources = of_type(template.everything, "Lambda::EventSourceMapping")
    assert len(sources) == 4
    for resource in sources.values():
        assert resource["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def _stream_without_dead_letter_queue(resources: dict[str, Any]) -> None:
    del resources["PublisherFunction"]["Properties"]["Events"]["Stream"]["Properties"]["DestinationConfig"]


def _endless_retries(resources: dict[str, Any]) -> None:
    resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"][
        "MaximumRetryAttempts"
    ] = -1


def _shared_dead_letters(resources: dict[str, Any]) -> None:
    stream = resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"]
    stream["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0] = "PublisherDeadLetterQueue"


@claims.fails_with(_stream_without_dead_letter_queue)
@claims.fails_with(_endless_retries)
@claims.fails_with(_shared_dead_letters)
def one_bad_change_does_not_hold_up_the_others(template: Expansions) -> None:
    for reader in ("Publisher", "Portfolio"):
        made = template.everything[f"{reader}FunctionStream"]["Properties"]
        assert made["BisectBatchOnFunctionError"] is True
        assert 0 < made["MaximumRetryAttempts"] <= 20
        assert target_of(made["DestinationConfig"]["OnFailure"]["Destination"]) == f"{reader}DeadLetterQueue"


def _deaf_portfolio(resources: dict[str, Any]) -> None:
    del resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"]["FilterCriteria"]


def _costly_silence(resources: dict[str, Any]) -> None:
    stream = resources["PortfolioFunction"]["Properties"]["Events"]["Stream"]["Properties"]
    (one,) = stream["FilterCriteria"]["Filters"]
    one["Pattern"] = one["Pattern"]["Fn::If"][1]


@claims.fails_with(_deaf_portfolio)
@claims.fails_with(_costly_silence)
def events_reach_the_portfolio_only_where_they_are_logged(template: Expansions) -> None:
    """Without a log of events by day nothing is run, or paid, for them."""
    for days, keys in (("30", ["CONTRACT", {"prefix": "EVENT#"}]), ("0", ["CONTRACT"])):
        resources = template.with_(EventLogDays=days)["Resources"]
        (one,) = resources["PortfolioFunctionStream"]["Properties"]["FilterCriteria"]["Filters"]
        assert json.loads(one["Pattern"]) == {"dynamodb": {"Keys": {"sk": {"S": keys}}}}


@claims.fails_with(properties("ExportQueue", RedrivePolicy=None))
@claims.fails_with(properties("IngestionDeadLetterQueue", MessageRetentionPeriod=60))
def dead_letters_are_kept_for_two_weeks(template: Expansions) -> None:
    queues = of_type(template.everything, "SQS::Queue")
    targets = {
        target_of(resource["RedrivePolicy"]["deadLetterTargetArn"])
        for name, resource in queues.items()
        if name in queue_sources(template)
    }
    assert targets == {"IngestionDeadLetterQueue", "ExportDeadLetterQueue"}
    for name, resource in queues.items():
        if name.endswith("DeadLetterQueue"):
            assert resource["MessageRetentionPeriod"] == 14 * 24 * 3600, name


def _rule_without_dead_letter_queue(resources: dict[str, Any]) -> None:
    del resources["ComponentEventRule"]["Properties"]["Targets"][0]["DeadLetterConfig"]


def _rule_takes_published_changes(resources: dict[str, Any]) -> None:
    pattern = resources["ComponentEventRule"]["Properties"]["EventPattern"]
    pattern["detail-type"].append("timeline_changed")


@claims.fails_with(_rule_without_dead_letter_queue)
@claims.fails_with(_rule_takes_published_changes)
def the_rule_loses_no_event_and_does_not_match_published_changes(template: Expansions) -> None:
    rule = template.everything["ComponentEventRule"]["Properties"]
    assert rule["EventPattern"]["detail-type"] == ["component_event", "meter_readings"]
    (target,) = rule["Targets"]
    assert target_of(target["DeadLetterConfig"]["Arn"]) == "RuleDeadLetterQueue"
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 24 * 3600


@claims.fails_with(properties("ApiFunction", Timeout=60))
def the_api_times_out_before_the_gateway(template: Expansions) -> None:
    gateway = template.everything["HttpApiIntegration"]["Properties"]["TimeoutInMillis"]
    assert template.everything["ApiFunction"]["Properties"]["Timeout"] * 1000 < gateway <= 30_000


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_releases(claim: Claim, defect: Defect) -> None:
    check(claim, defect)
