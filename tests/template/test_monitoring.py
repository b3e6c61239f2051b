"""Alarms, the dashboard and logs."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.contracts.events import ComponentEvent, EventType
from domain.contracts.verdicts import Code, Verdict
from infra.build.packaging import ROOT
from infra.telemetry import Decided, count, report, report_unknown
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
        if (alarm.get("Namespace"), alarm.get("MetricName")) == (namespace, metric)
    ]


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that an alarm watches, or computes with: their namespaces, names and dimensions."""
    if "Metrics" not in alarm:
        return [alarm]
    return [each["MetricStat"]["Metric"] for each in alarm["Metrics"] if "MetricStat" in each]


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
    above, evaluated = alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]
    if "Metrics" in alarm:
        ((statistic, period),) = {
            (each["MetricStat"]["Stat"], each["MetricStat"]["Period"])
            for each in alarm["Metrics"]
            if "MetricStat" in each
        }
    else:
        statistic, period = alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Period"]
    return statistic, alarm["Threshold"], period, above, evaluated


TRIGGERS = {
    "GatewayThrottles": {("Sum", 10, 60, 3, 5)},
    "share": {("Sum", 25, 300, 2, 3)},  # percent
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
        watched = alarm.get("MetricName") or next(
            each["Id"] for each in alarm["Metrics"] if each["ReturnData"]
        )
        found.setdefault(watched, set()).add(trigger_of(alarm))
    assert found == TRIGGERS


def _every_429_counts(resources: dict[str, Any]) -> None:
    resources["GatewayThrottlesFilter"]["Properties"]["FilterPattern"] = '{ $.status = "429" }'


@claims.fails_with(_every_429_counts)
@claims.fails_with(_without("GatewayThrottlesFilter"))
@claims.fails_with(properties("GatewayThrottlesFilter", LogGroupName={"Ref": "ApiLogGroup"}))
def refusals_of_the_gateway_are_counted_without_those_of_the_api(template: Expansions) -> None:
    counted = template.with_(Stage="test")["Resources"]["GatewayThrottlesFilter"]["Properties"]
    assert target_of(counted["LogGroupName"]) == "AccessLogGroup"
    # The gateway writes a dash for what a request does not have: here the id that Lambda would have given it.
    assert counted["FilterPattern"] == '{ ($.status = "429") && ($.correlation_id = "-") }'
    (metric,) = counted["MetricTransformations"]
    assert metric["Dimensions"] == [{"Key": "stage", "Value": "$.stage"}]
    assert (metric["MetricNamespace"], metric["MetricName"]) == ("EnergyOperations", "GatewayThrottles")


def _a_quiet_hour_is_an_alarm(resources: dict[str, Any]) -> None:
    share = resources["RefusedEventsAlarm"]["Properties"]["Metrics"][0]
    share["Expression"] = "100 * refused / (refused + accepted)"


@claims.fails_with(_a_quiet_hour_is_an_alarm)
@claims.fails_with(_without("RefusedEventsAlarm"))
def a_jump_in_refused_events_is_a_share_of_at_least_twenty(template: Expansions) -> None:
    share, *parts = template.everything["RefusedEventsAlarm"]["Properties"]["Metrics"]
    assert share["Expression"] == "IF(refused >= 20, 100 * refused / (refused + accepted), 0)"
    assert {each["Id"]: each["MetricStat"]["Metric"]["MetricName"] for each in parts} == {
        "refused": "EventsRejected",
        "accepted": "EventsAccepted",
    }
    assert [each["ReturnData"] for each in (share, *parts)] == [True, False, False]


@claims.fails_with(_without("ApiServerErrorsAlarm"))
@claims.fails_with(properties("ApiLatencyAlarm", ExtendedStatistic="p50"))
def server_errors_and_latency_have_alarms(template: Expansions) -> None:
    assert monitored(template, "AWS/ApiGateway", "5xx") == [{"ApiId": {"Ref": "HttpApi"}}]
    (latency,) = [
        alarm
        for alarm in of_type(template.everything, "CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "Latency"
    ]
    assert latency["ExtendedStatistic"] == "p99"


@claims.fails_with(properties("OutcomeUnknownAlarm", MetricName="OutcomesUnknown"))
@claims.fails_with(properties("ExportsFailedAlarm", Dimensions=[{"Name": "stage", "Value": "prod"}]))
def alarms_use_the_names_and_dimensions_of_our_own_metrics(template: Expansions) -> None:
    alarms = of_type(
        template.with_(Stage="test", AlarmEmail="ops@example.com")["Resources"], "CloudWatch::Alarm"
    )
    found = {
        metric["MetricName"]: {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
        for alarm in alarms.values()
        for metric in metrics_of(alarm)
        if metric["Namespace"] == "EnergyOperations"
    }
    ours = {"service": "energy-operations", "stage": "test"}
    names = ("OutcomeUnknown", "ExportsFailed", "EventsAccepted", "EventsRejected")
    assert found == dict.fromkeys(names, ours) | {"GatewayThrottles": {"stage": "test"}}


def refused(codes: list[Code]) -> list[Decided]:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    event = ComponentEvent(EventType.SUPPLY_ENERGY_START, "1001", date(2024, 1, 1), at, "key")
    return [Decided(event, Verdict(code), None) for code in codes]


def test_our_own_metrics_are_logged_with_the_names_and_dimensions_of_the_alarms(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report_unknown(TimeoutError())
    count("ExportsFailed")
    report(refused([Code.STALE_START, Code.STALE_END, Code.STALE_END]))
    written = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')
    ]
    metrics = []
    for line in written:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        (dimensions,) = directive["Dimensions"]
        (metric,) = directive["Metrics"]
        found = {name: line[name] for name in dimensions}
        metrics.append((directive["Namespace"], metric["Name"], found, sum(line[metric["Name"]])))
    ours = {"service": "energy-operations", "stage": "test"}
    wanted = [
        ("OutcomeUnknown", ours, 1),
        ("ExportsFailed", ours, 1),
        ("EventsAccepted", ours, 0),
        ("EventsRejected", ours | {"code": "stale_start"}, 1),
        ("EventsRejected", ours | {"code": "stale_end"}, 2),
        ("EventsRejected", ours, 3),
    ]
    assert metrics == [("EnergyOperations", *metric) for metric in wanted]


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
        assert all(f'"{metric["MetricName"]}"' in shown for metric in metrics_of(alarm)), name
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


def test_a_reader_of_the_template_need_not_scroll_sideways() -> None:
    lines = (ROOT / "template.yaml").read_text().splitlines()
    assert [line for line in lines if len(line) > 180] == []


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_monitoring(claim: Claim, defect: Defect) -> None:
    check(claim, defect)
