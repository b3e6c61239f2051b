"""Alarms, the dashboard and logs."""

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
    check,
    of_type,
    properties,
    target_of,
)
from tests.template.test_release import FUNCTIONS, LIVE, queue_sources

claims = Claims([])


def monitored(template: Expansions, namespace: str, metric: str) -> list[dict[str, Any]]:
    """Return the dimensions of the alarms on a metric."""
    return [
        {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
        for alarm in of_type(template.everything, "CloudWatch::Alarm").values()
        if (alarm["Namespace"], alarm["MetricName"]) == (namespace, metric)
    ]


def _without(name: str) -> Defect:
    return lambda resources: resources.pop(name)


@claims.fails_with(_without("PublisherErrorsAlarm"))
@claims.fails_with(_without("ExportThrottlesAlarm"))
@claims.fails_with(_without("StreamAgeAlarm"))
@claims.fails_with(_without("PortfolioAgeAlarm"))
@claims.fails_with(_without("PortfolioErrorsAlarm"))
def errors_throttles_and_delays_of_functions_have_alarms(template: Expansions) -> None:
    for metric in ("Errors", "Throttles"):
        found = monitored(template, "AWS/Lambda", metric)
        assert {target_of(dimensions["FunctionName"]) for dimensions in found} == FUNCTIONS
    live = [
        dimensions for dimensions in monitored(template, "AWS/Lambda", "Errors") if "Resource" in dimensions
    ]
    assert {target_of(dimensions["FunctionName"]) for dimensions in live} == LIVE
    for dimensions in live:
        assert dimensions["Resource"] == {"Fn::Sub": f"${{{target_of(dimensions['FunctionName'])}}}:live"}
    ages = monitored(template, "AWS/Lambda", "IteratorAge")
    assert {target_of(stream["FunctionName"]) for stream in ages} == {
        "PublisherFunction",
        "PortfolioFunction",
    }


@claims.fails_with(_without("RuleDeadLettersAlarm"))
@claims.fails_with(_without("RuleFailuresAlarm"))
@claims.fails_with(_without("IngestionAgeAlarm"))
def dead_letters_and_old_messages_have_alarms(template: Expansions) -> None:
    queues = {
        target_of(found["QueueName"])
        for found in monitored(template, "AWS/SQS", "ApproximateNumberOfMessagesVisible")
    }
    assert queues == {
        name for name in of_type(template.everything, "SQS::Queue") if name.endswith("DeadLetterQueue")
    }
    (lost,) = monitored(template, "AWS/Events", "InvocationsFailedToBeSentToDlq")
    assert lost["EventBusName"] == {"Ref": "EventBus"}
    assert "ComponentEventRule" in str(lost["RuleName"])
    ages = monitored(template, "AWS/SQS", "ApproximateAgeOfOldestMessage")
    assert {target_of(found["QueueName"]) for found in ages} == queue_sources(template).keys()


def trigger_of(alarm: dict[str, Any]) -> tuple[str, int, int, int, int]:
    """Return what triggers an alarm: statistic, threshold, period in seconds, periods above it, periods evaluated."""
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    above, evaluated = alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]
    return statistic, alarm["Threshold"], alarm["Period"], above, evaluated


TRIGGERS = {
    "5xx": {("Sum", 5, 60, 2, 5)},
    "Latency": {("p99", 3000, 300, 3, 3)},
    "OutcomeUnknown": {("Sum", 5, 60, 2, 5)},
    "ExportsFailed": {("Sum", 1, 60, 1, 1)},
    # At once during a release, soon for the other functions, and later for the sweep, which runs again.
    "Errors": {("Sum", 1, 60, 1, 1), ("Sum", 1, 60, 1, 5), ("Sum", 1, 60, 2, 5)},
    "Throttles": {("Sum", 1, 60, 3, 5)},
    "InvocationsFailedToBeSentToDlq": {("Sum", 1, 60, 1, 1)},
    "ApproximateNumberOfMessagesVisible": {("Maximum", 1, 60, 1, 1)},
    "ApproximateAgeOfOldestMessage": {("Maximum", 15 * 60, 60, 5, 5)},
    "IteratorAge": {("Maximum", 5 * 60 * 1000, 60, 5, 5)},
}


@claims.fails_with(properties("ApiServerErrorsAlarm", Threshold=500))
@claims.fails_with(properties("IngestionAgeAlarm", Statistic="Minimum"))
@claims.fails_with(properties("ExportErrorsAlarm", ComparisonOperator="LessThanThreshold"))
def alarms_have_the_triggers_that_the_documentation_states(template: Expansions) -> None:
    found: dict[str, set[Any]] = {}
    for alarm in of_type(template.everything, "CloudWatch::Alarm").values():
        found.setdefault(alarm["MetricName"], set()).add(trigger_of(alarm))
    assert found == TRIGGERS


@claims.fails_with(_without("ApiServerErrorsAlarm"))
@claims.fails_with(properties("ApiLatencyAlarm", ExtendedStatistic="p50"))
def server_errors_and_latency_have_alarms(template: Expansions) -> None:
    assert monitored(template, "AWS/ApiGateway", "5xx") == [{"ApiId": {"Ref": "HttpApi"}}]
    (latency,) = [
        alarm
        for alarm in of_type(template.everything, "CloudWatch::Alarm").values()
        if alarm["MetricName"] == "Latency"
    ]
    assert latency["ExtendedStatistic"] == "p99"


@claims.fails_with(properties("OutcomeUnknownAlarm", MetricName="OutcomesUnknown"))
@claims.fails_with(properties("ExportsFailedAlarm", Dimensions=[{"Name": "stage", "Value": "prod"}]))
def alarms_use_the_names_and_dimensions_of_our_own_metrics(template: Expansions) -> None:
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


def test_our_own_metrics_are_logged_with_the_names_and_dimensions_of_the_alarms(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report_unknown(TimeoutError())
    count("ExportsFailed")
    written = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')
    ]
    metrics = []
    for line in written:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        (dimensions,) = directive["Dimensions"]
        (metric,) = directive["Metrics"]
        metrics.append((directive["Namespace"], metric["Name"], {name: line[name] for name in dimensions}))
    expected = {"service": "energy-operations", "stage": "test"}
    assert metrics == [("EnergyOperations", name, expected) for name in ("OutcomeUnknown", "ExportsFailed")]


@claims.fails_with(properties("ApiThrottlesAlarm", AlarmActions=None))
@claims.fails_with(properties("AlarmTopicPolicy", Topics=[]))
def alarms_are_sent_to_the_chosen_email_address(template: Expansions) -> None:
    for name, alarm in of_type(template.everything, "CloudWatch::Alarm").items():
        assert [target_of(action) for action in alarm["AlarmActions"]] == ["AlarmTopic"], name
        assert [target_of(action) for action in alarm["OKActions"]] == ["AlarmTopic"], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmDescription"], name
    subscription = {"Protocol": "email", "Endpoint": "ops@example.com"}
    assert template.everything["AlarmTopic"]["Properties"]["Subscription"] == [subscription]
    policy = template.everything["AlarmTopicPolicy"]["Properties"]
    assert [target_of(topic) for topic in policy["Topics"]] == ["AlarmTopic"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sns:Publish")
    assert "Condition" in statement


def _topic_without_a_condition(resources: dict[str, Any]) -> None:
    del resources["AlarmTopic"]["Condition"]


@claims.fails_with(_topic_without_a_condition)
def without_an_email_address_alarms_have_no_action(template: Expansions) -> None:
    assert not of_type(template.defaults, "SNS::Topic")
    alarms = of_type(template.defaults, "CloudWatch::Alarm")
    assert alarms.keys() == of_type(template.everything, "CloudWatch::Alarm").keys()
    assert not any(alarm.get("AlarmActions") for alarm in alarms.values())


def _alarm_not_on_the_dashboard(resources: dict[str, Any]) -> None:
    body = resources["Dashboard"]["Properties"]["DashboardBody"]
    board = json.loads(body["Fn::Sub"][0])
    board["widgets"][0]["properties"]["alarms"].remove("${OutcomeUnknownAlarm.Arn}")
    body["Fn::Sub"][0] = json.dumps(board)


def _unknown_metric_on_the_dashboard(resources: dict[str, Any]) -> None:
    body = resources["Dashboard"]["Properties"]["DashboardBody"]
    body["Fn::Sub"][0] = body["Fn::Sub"][0].replace('"ExportsFailed"', '"ExportsBroken"')


@claims.fails_with(_alarm_not_on_the_dashboard)
@claims.fails_with(_unknown_metric_on_the_dashboard)
def the_dashboard_shows_every_alarm_and_its_metric(template: Expansions) -> None:
    board = json.loads(template.everything["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0])
    alarms = of_type(template.everything, "CloudWatch::Alarm")
    (first, *graphs) = board["widgets"]
    assert first["properties"]["alarms"] == [f"${{{name}.Arn}}" for name in alarms]
    shown = json.dumps([graph["properties"]["metrics"] for graph in graphs])
    for name, alarm in alarms.items():
        assert f'"{alarm["MetricName"]}"' in shown, name
    places = {(graph["x"], graph["y"]) for graph in board["widgets"]}
    assert len(places) == len(board["widgets"])


@claims.fails_with(properties("ExportLogGroup", RetentionInDays=None))
@claims.fails_with(properties("PublisherFunction", LoggingConfig=None))
def logs_are_kept_for_the_chosen_number_of_days(template: Expansions) -> None:
    resources = template.with_(LogRetentionDays="90")["Resources"]
    groups = of_type(resources, "Logs::LogGroup")
    assert {str(group["RetentionInDays"]) for group in groups.values()} == {"90"}
    used = {
        target_of(resource["LoggingConfig"]["LogGroup"])
        for resource in of_type(resources, "Lambda::Function").values()
    }
    assert used | {"AccessLogGroup"} == groups.keys()


def _query_strings_in_the_log(resources: dict[str, Any]) -> None:
    settings = resources["HttpApiStage"]["Properties"]["AccessLogSettings"]
    settings["Format"] = settings["Format"].replace("$context.path", "$context.path?$context.queryString")


@claims.fails_with(_query_strings_in_the_log)
@claims.fails_with(properties("HttpApiStage", AccessLogSettings=None))
def each_request_is_logged_without_secrets_of_its_sender(template: Expansions) -> None:
    settings = template.everything["HttpApiStage"]["Properties"]["AccessLogSettings"]
    assert target_of(settings["DestinationArn"]) == "AccessLogGroup"
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
def test_the_template_keeps_its_claims_about_monitoring(claim: Claim, defect: Defect) -> None:
    check(claim, defect)
