"""What somebody on call is told, and where to look."""

import json
from typing import Any

import pytest

from infra.build.packaging import ROOT
from infra.telemetry import count, report_unknown
from tests.template.claims import (
    Claim,
    Claims,
    Defect,
    Expansions,
    holds,
    named,
    of_type,
    properties,
)
from tests.template.test_release import FUNCTIONS, LIVE, queue_sources

claims = Claims([])


def watched(template: Expansions, namespace: str, metric: str) -> list[dict[str, Any]]:
    """Return the dimensions of the alarms on a metric."""
    return [
        {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        for alarm in of_type(template.everything, "CloudWatch::Alarm").values()
        if (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric)
    ]


def _gone(name: str) -> Defect:
    return lambda resources: resources.pop(name)


@claims.but_for(_gone("PublisherErrorsAlarm"))
@claims.but_for(_gone("ExportThrottlesAlarm"))
@claims.but_for(_gone("StreamAgeAlarm"))
@claims.but_for(_gone("PortfolioAgeAlarm"))
@claims.but_for(_gone("PortfolioErrorsAlarm"))
def functions_that_fail_or_fall_behind_are_told(template: Expansions) -> None:
    for metric in ("Errors", "Throttles"):
        found = watched(template, "AWS/Lambda", metric)
        assert {named(dimensions["FunctionName"]) for dimensions in found} == FUNCTIONS
    live = [
        dimensions for dimensions in watched(template, "AWS/Lambda", "Errors") if "Resource" in dimensions
    ]
    assert {named(dimensions["FunctionName"]) for dimensions in live} == LIVE
    for dimensions in live:
        assert dimensions["Resource"] == {"Fn::Sub": f"${{{named(dimensions['FunctionName'])}}}:live"}
    ages = watched(template, "AWS/Lambda", "IteratorAge")
    assert {named(stream["FunctionName"]) for stream in ages} == {"PublisherFunction", "PortfolioFunction"}


@claims.but_for(_gone("RuleDeadLettersAlarm"))
@claims.but_for(_gone("RuleFailuresAlarm"))
@claims.but_for(_gone("IngestionAgeAlarm"))
def what_is_given_up_or_waits_too_long_is_told(template: Expansions) -> None:
    letters = {
        named(found["QueueName"])
        for found in watched(template, "AWS/SQS", "ApproximateNumberOfMessagesVisible")
    }
    assert letters == {
        name for name in of_type(template.everything, "SQS::Queue") if name.endswith("DeadLetterQueue")
    }
    (lost,) = watched(template, "AWS/Events", "InvocationsFailedToBeSentToDlq")
    assert lost["EventBusName"] == {"Ref": "EventBus"}
    assert "ComponentEventRule" in str(lost["RuleName"])
    ages = watched(template, "AWS/SQS", "ApproximateAgeOfOldestMessage")
    assert {named(found["QueueName"]) for found in ages} == queue_sources(template).keys()


def rings(alarm: dict[str, Any]) -> tuple[str, int, int, int, int]:
    """Return when an alarm rings: of what, from how much on, in how many seconds, how often of how many times."""
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    measure = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    often, times = alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]
    return measure, alarm["Threshold"], alarm["Period"], often, times


WHEN = {
    "5xx": {("Sum", 5, 60, 2, 5)},
    "Latency": {("p99", 3000, 300, 3, 3)},
    "OutcomeUnknown": {("Sum", 5, 60, 2, 5)},
    "ExportsFailed": {("Sum", 1, 60, 1, 1)},
    # At once in a release, and soon elsewhere; a sweep that fails is followed by the next.
    "Errors": {("Sum", 1, 60, 1, 1), ("Sum", 1, 60, 1, 5), ("Sum", 1, 60, 2, 5)},
    "Throttles": {("Sum", 1, 60, 3, 5)},
    "InvocationsFailedToBeSentToDlq": {("Sum", 1, 60, 1, 1)},
    "ApproximateNumberOfMessagesVisible": {("Maximum", 1, 60, 1, 1)},
    "ApproximateAgeOfOldestMessage": {("Maximum", 15 * 60, 60, 5, 5)},
    "IteratorAge": {("Maximum", 5 * 60 * 1000, 60, 5, 5)},
}


@claims.but_for(properties("ApiServerErrorsAlarm", Threshold=500))
@claims.but_for(properties("IngestionAgeAlarm", Statistic="Minimum"))
@claims.but_for(properties("ExportErrorsAlarm", ComparisonOperator="LessThanThreshold"))
def alarms_ring_when_the_handbook_says(template: Expansions) -> None:
    found: dict[str, set[Any]] = {}
    for alarm in of_type(template.everything, "CloudWatch::Alarm").values():
        found.setdefault(alarm["MetricName"], set()).add(rings(alarm))
    assert found == WHEN


@claims.but_for(_gone("ApiServerErrorsAlarm"))
@claims.but_for(properties("ApiLatencyAlarm", ExtendedStatistic="p50"))
def what_callers_suffer_is_told(template: Expansions) -> None:
    assert watched(template, "AWS/ApiGateway", "5xx") == [{"ApiId": {"Ref": "HttpApi"}}]
    (latency,) = [
        alarm
        for alarm in of_type(template.everything, "CloudWatch::Alarm").values()
        if alarm["MetricName"] == "Latency"
    ]
    assert latency["ExtendedStatistic"] == "p99"


@claims.but_for(properties("OutcomeUnknownAlarm", MetricName="OutcomesUnknown"))
@claims.but_for(properties("ExportsFailedAlarm", Dimensions=[{"Name": "stage", "Value": "prod"}]))
def our_own_metrics_are_watched_under_the_names_we_give_them(template: Expansions) -> None:
    alarms = of_type(
        template.with_(Stage="test", AlarmEmail="ops@example.com")["Resources"], "CloudWatch::Alarm"
    )
    found = {
        alarm["MetricName"]: {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        for alarm in alarms.values()
        if alarm["Namespace"] == "EnergyOperations"
    }
    assert found == {
        name: {"service": "energy-operations", "stage": "test"}
        for name in ("OutcomeUnknown", "ExportsFailed")
    }


def test_the_metrics_are_written_as_the_alarms_want_them(capsys: pytest.CaptureFixture[str]) -> None:
    report_unknown(TimeoutError())
    count("ExportsFailed")
    written = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')
    ]
    told = []
    for line in written:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        (dimensions,) = directive["Dimensions"]
        (metric,) = directive["Metrics"]
        told.append((directive["Namespace"], metric["Name"], {name: line[name] for name in dimensions}))
    where = {"service": "energy-operations", "stage": "test"}
    assert told == [("EnergyOperations", name, where) for name in ("OutcomeUnknown", "ExportsFailed")]


@claims.but_for(properties("ApiThrottlesAlarm", AlarmActions=None))
@claims.but_for(properties("AlarmTopicPolicy", Topics=[]))
def alarms_go_to_the_email_that_was_given(template: Expansions) -> None:
    for name, alarm in of_type(template.everything, "CloudWatch::Alarm").items():
        assert [named(action) for action in alarm["AlarmActions"]] == ["AlarmTopic"], name
        assert [named(action) for action in alarm["OKActions"]] == ["AlarmTopic"], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name
    subscription = {"Protocol": "email", "Endpoint": "ops@example.com"}
    assert template.everything["AlarmTopic"]["Properties"]["Subscription"] == [subscription]
    policy = template.everything["AlarmTopicPolicy"]["Properties"]
    assert [named(topic) for topic in policy["Topics"]] == ["AlarmTopic"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sns:Publish")
    assert "Condition" in statement


def _topic_for_nobody(resources: dict[str, Any]) -> None:
    del resources["AlarmTopic"]["Condition"]


@claims.but_for(_topic_for_nobody)
def without_an_email_alarms_only_show(template: Expansions) -> None:
    assert not of_type(template.defaults, "SNS::Topic")
    alarms = of_type(template.defaults, "CloudWatch::Alarm")
    assert alarms.keys() == of_type(template.everything, "CloudWatch::Alarm").keys()
    assert not any(alarm.get("AlarmActions") for alarm in alarms.values())


def _forgotten_alarm(resources: dict[str, Any]) -> None:
    body = resources["Dashboard"]["Properties"]["DashboardBody"]
    board = json.loads(body["Fn::Sub"][0])
    board["widgets"][0]["properties"]["alarms"].remove("${OutcomeUnknownAlarm.Arn}")
    body["Fn::Sub"][0] = json.dumps(board)


def _metric_of_nothing(resources: dict[str, Any]) -> None:
    body = resources["Dashboard"]["Properties"]["DashboardBody"]
    body["Fn::Sub"][0] = body["Fn::Sub"][0].replace('"ExportsFailed"', '"ExportsBroken"')


@claims.but_for(_forgotten_alarm)
@claims.but_for(_metric_of_nothing)
def the_dashboard_shows_every_alarm_and_what_it_is_about(template: Expansions) -> None:
    board = json.loads(template.everything["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0])
    alarms = of_type(template.everything, "CloudWatch::Alarm")
    (first, *graphs) = board["widgets"]
    assert first["properties"]["alarms"] == [f"${{{name}.Arn}}" for name in alarms]
    shown = json.dumps([graph["properties"]["metrics"] for graph in graphs])
    for name, alarm in alarms.items():
        assert f'"{alarm["MetricName"]}"' in shown, name
    places = {(graph["x"], graph["y"]) for graph in board["widgets"]}
    assert len(places) == len(board["widgets"])


@claims.but_for(properties("ExportLogGroup", RetentionInDays=None))
@claims.but_for(properties("PublisherFunction", LoggingConfig=None))
def logs_are_kept_for_as_long_as_was_chosen(template: Expansions) -> None:
    resources = template.with_(LogRetentionDays="90")["Resources"]
    groups = of_type(resources, "Logs::LogGroup")
    assert {str(group["RetentionInDays"]) for group in groups.values()} == {"90"}
    used = {
        named(made["LoggingConfig"]["LogGroup"]) for made in of_type(resources, "Lambda::Function").values()
    }
    assert used | {"AccessLogGroup"} == groups.keys()


def _queries_in_the_log(resources: dict[str, Any]) -> None:
    settings = resources["HttpApiStage"]["Properties"]["AccessLogSettings"]
    settings["Format"] = settings["Format"].replace("$context.path", "$context.path?$context.queryString")


@claims.but_for(_queries_in_the_log)
@claims.but_for(properties("HttpApiStage", AccessLogSettings=None))
def each_request_is_logged_without_what_its_sender_keeps_secret(template: Expansions) -> None:
    settings = template.everything["HttpApiStage"]["Properties"]["AccessLogSettings"]
    assert named(settings["DestinationArn"]) == "AccessLogGroup"
    logged = json.loads(settings["Format"])
    assert set(logged.values()) == {
        "$context.requestId",
        "$context.requestTime",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.path",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.integrationErrorMessage",
    }


def test_a_reader_of_the_template_need_not_scroll_sideways() -> None:
    lines = (ROOT / "template.yaml").read_text().splitlines()
    assert [line for line in lines if len(line) > 180] == []


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_watching(claim: Claim, defect: Defect) -> None:
    holds(claim, defect)
