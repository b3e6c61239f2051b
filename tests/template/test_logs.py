"""The access log, the saved queries and traces: what they name is what the code writes."""

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ReadTimeoutError
from fastapi.testclient import TestClient

from functions.ingestion import handler as ingestion
from functions.portfolio import handler as portfolio
from functions.publisher import handler as publisher
from infra import aws
from infra.build.packaging import ROOT
from tests.functions.api.calls import create, event
from tests.functions.api.test_handler import Context as ApiContext
from tests.functions.api.test_handler import http_api
from tests.functions.ingestion.conftest import Context, detail, envelope
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

Lines = Callable[[], list[dict[str, Any]]]

_BUILT_IN = {"@timestamp", "@message", "@requestId"}
_WORDS = {"fields", "filter", "sort", "limit", "stats", "as", "by", "and", "or", "asc", "desc"}
_FUNCTIONS = {"count", "count_distinct"}


def access_log(template: Expansions) -> dict[str, str]:
    """Return the fields of the access log, and the variables of the gateway in them."""
    settings = template.everything["HttpApiStage"]["Properties"]["AccessLogSettings"]
    assert target_of(settings["DestinationArn"]) == "AccessLogGroup"
    return dict(json.loads(settings["Format"]))


def _change_format(old: str, new: str) -> Defect:
    def change(resources: dict[str, Any]) -> None:
        settings = resources["HttpApiStage"]["Properties"]["AccessLogSettings"]
        assert old in settings["Format"]["Fn::Sub"]
        settings["Format"]["Fn::Sub"] = settings["Format"]["Fn::Sub"].replace(old, new)

    return change


@claims.fails_with(_change_format("$context.path", "$context.path?$context.queryString"))
@claims.fails_with(properties("HttpApiStage", AccessLogSettings=None))
def each_request_is_logged_without_secrets_of_its_sender(template: Expansions) -> None:
    assert set(access_log(template).values()) == {
        "prod",
        "$context.requestId",
        "$context.integration.requestId",
        "$context.requestTime",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.path",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.integrationErrorMessage",
    }


@claims.fails_with(_change_format("$context.integration.requestId", "$context.requestId"))
@claims.fails_with(_change_format('"gateway_request_id"', '"request_id"'))
def the_access_log_can_be_joined_with_the_lines_of_the_function(template: Expansions) -> None:
    fields = access_log(template)
    assert fields["correlation_id"] == "$context.integration.requestId"
    assert fields["gateway_request_id"] == "$context.requestId"


def queries(resources: Mapping[str, Any]) -> dict[str, tuple[set[str], str]]:
    """Return the log groups and the text of each saved query, by its name without that of the stack."""
    return {
        query["Name"]["Fn::Sub"].removeprefix("${AWS::StackName}/"): (
            {target_of(group) for group in query["LogGroupNames"]},
            query["QueryString"],
        )
        for query in of_type(dict(resources), "Logs::QueryDefinition").values()
    }


@claims.fails_with(lambda resources: resources.pop("WhoDidWhatQuery"))
@claims.fails_with(properties("SlowestRequestsQuery", LogGroupNames=[{"Ref": "ApiLogGroup"}]))
def there_is_a_saved_query_for_each_question(template: Expansions) -> None:
    found = {name: groups for name, (groups, _) in queries(template.everything).items()}
    api, taken = "ApiLogGroup", {"ApiLogGroup", "IngestionLogGroup"}
    assert found == {
        "one request": {"AccessLogGroup", api},
        "one event": taken,
        "one contract": {*taken, "PublisherLogGroup", "PortfolioLogGroup"},
        "refused by code": taken,
        "slowest requests": {"AccessLogGroup"},
        "who did what": {api},
    }


def names_in(query: str) -> Iterator[str]:
    """Yield the fields that a query names, without its words, functions and own names."""
    text = re.sub(r'"[^"]*"', "", query)
    own = set(re.findall(r"\bas (\w+)", text))
    for name in re.findall(r"@?[A-Za-z_]\w*", text):
        if name not in _WORDS | _FUNCTIONS | _BUILT_IN | own:
            yield name


def record(body: str, receives: int) -> dict[str, Any]:
    return {
        "messageId": str(uuid4()),
        "receiptHandle": "unknown",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSource": "aws:sqs",
    }


@pytest.fixture
def written(api: TestClient, log_lines: Lines, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The fields that each function writes when it is used, by log group."""
    from functions.api.handler import handler  # noqa: PLC0415 - it builds the application

    monkeypatch.setenv("MAX_RECEIVES", "6")
    monkeypatch.setenv("INGESTION_QUEUE_URL", aws.sqs().create_queue(QueueName="queue")["QueueUrl"])
    monkeypatch.setenv("EVENT_BUS", "no-such-bus")
    fields: dict[str, set[str]] = {}
    seen = 0

    def collect(group: str) -> None:
        nonlocal seen
        lines = log_lines()
        assert len(lines) > seen, group
        fields[group] = {name for line in lines[seen:] for name in line}
        seen = len(lines)

    def lose(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://aws")

    def post(body: dict[str, Any]) -> None:
        headers = {"content-type": "application/json", "host": "api"}
        handler(http_api("POST", "/event", "", headers, json.dumps(body)), ApiContext())

    create(api)
    post(event(id="1"))
    aws.dynamodb().meta.events.register_first("before-call.dynamodb.TransactWriteItems", lose)
    post(event(id="2"))
    aws.dynamodb().meta.events.unregister("before-call.dynamodb.TransactWriteItems", lose)
    handler(http_api("DELETE", "/contract/9999", "", {"host": "api"}, None), ApiContext())
    collect("ApiLogGroup")
    sent = [record(envelope(detail(id="3")), 1), record(envelope(detail(colour="green")), 6)]
    ingestion.handler({"Records": sent}, Context())  # type: ignore[arg-type]
    collect("IngestionLogGroup")
    image = json.loads((ROOT / "tests/events/stream_batch.json").read_text())
    publisher.handler(image, Context())  # type: ignore[arg-type]
    collect("PublisherLogGroup")
    for each in image["Records"]:
        each["dynamodb"]["NewImage"]["generation"] = {"S": "first"}
    portfolio.handler(image, Context())  # type: ignore[arg-type]
    collect("PortfolioLogGroup")
    return fields | {"AccessLogGroup": set(access_log(Expansions(source())))}


def unknown_fields(resources: Mapping[str, Any], written: Mapping[str, set[str]]) -> list[str]:
    """Return what saved queries name that none of their log groups has."""
    return [
        f"{title}: {name}"
        for title, (groups, text) in queries(resources).items()
        for name in names_in(text)
        if not any(name in written[group] for group in groups)
    ]


def test_saved_queries_name_fields_that_the_code_writes(written: dict[str, set[str]]) -> None:
    resources = Expansions(source()).everything
    assert unknown_fields(resources, written) == []
    # Each group of logs has something that the filter of its query asks for.
    for title, (groups, text) in queries(resources).items():
        asked = re.findall(r"^\| filter (.*)$", text, re.MULTILINE)
        for group in groups if asked else ():
            assert set(names_in(asked[0])) & written[group], (title, group)


@pytest.mark.parametrize(
    ("query", "old", "new", "unknown"),
    [
        ("OneEventQuery", "event_id =", "id =", "one event: id"),
        ("SlowestRequestsQuery", "sort milliseconds", "sort latency", "slowest requests: latency"),
        ("RefusedByCodeQuery", "by code", "by verdict", "refused by code: verdict"),
    ],
)
def test_a_query_that_names_an_unknown_field_is_found(
    written: dict[str, set[str]], query: str, old: str, new: str, unknown: str
) -> None:
    resources = json.loads(json.dumps(source()["Resources"]))
    text = resources[query]["Properties"]["QueryString"]
    assert old in text
    resources[query]["Properties"]["QueryString"] = text.replace(old, new)
    assert unknown_fields(resources, written) == [unknown]


def _roles_without_permission(resources: dict[str, Any]) -> None:
    del resources["ExportSweepRole"]["Properties"]["ManagedPolicyArns"][1]


def _permission_without_traces(resources: dict[str, Any]) -> None:
    del resources["TracingPolicy"]["Condition"]


@claims.fails_with(_roles_without_permission)
@claims.fails_with(_permission_without_traces)
@claims.fails_with(properties("ApiFunction", Tracing="PassThrough"))
def functions_are_traced_and_may_send_traces_only_where_that_is_chosen(template: Expansions) -> None:
    functions = of_type(template.everything, "Lambda::Function").values()
    assert {function["TracingConfig"]["Mode"] for function in functions} == {"Active"}
    for role in {target_of(function["Role"]) for function in functions}:
        attached = template.everything[role]["Properties"]["ManagedPolicyArns"]
        assert "TracingPolicy" in [target_of(one) for one in attached], role
    (statement,) = template.everything["TracingPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    untraced = of_type(template.defaults, "Lambda::Function").values()
    assert {function["TracingConfig"]["Mode"] for function in untraced} == {"PassThrough"}
    assert "TracingPolicy" not in template.defaults
    assert "xray" not in json.dumps(template.defaults)


def test_no_function_carries_the_sdk_of_x_ray() -> None:
    files = [path for folder in ("functions", "infra", "domain") for path in (ROOT / folder).rglob("*.py")]
    imported = {
        name.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names)
    }
    assert not [name for name in imported if "xray" in name or name == "aws_lambda_powertools.tracing"]
    assert "aws-xray-sdk" not in (ROOT / "requirements.txt").read_text()


@pytest.mark.parametrize(("claim", "defect"), claims.parameters)
def test_the_template_keeps_its_claims_about_logs_and_traces(claim: Claim, defect: Defect) -> None:
    check(claim, defect)
