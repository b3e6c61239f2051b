"""Reads template.yaml, and adapts it to the emulated AWS: the same resources, with the location of the archives."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.commands.command_error import CommandError

API_ID = "energy-operations"  # fixes the id of the HTTP API, and with it the path of `gateway_url`

_ALARM = "AWS::CloudWatch::Alarm"

Template = dict[str, Any]

_VARIABLE = re.compile(r"\$\{([^!}][^}.]*)[^}]*\}")  # of Fn::Sub, without the attribute after a dot


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Ref`) as their long ones (`{"Ref": …}`)."""


def _long_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, object]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _long_form)
# A date stays text: CloudFormation has no type for dates.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Template:
    """Read a CloudFormation template; CommandError gives the line of a mistake."""
    try:
        template = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise CommandError(f"{path.name}: {error.strerror}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise CommandError(f"{where}: {getattr(error, 'problem', None) or error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise CommandError(f"{path.name}: a template needs Resources")
    if unknown := unknown_references(template):
        raise CommandError(f"{path.name} refers to {', '.join(unknown)}, which it does not define")
    return template


def unknown_references(template: Template) -> list[str]:
    """Return the names in Ref, GetAtt and Sub that `template` does not define; the emulator does not check them."""
    resources: dict[str, Any] = template["Resources"]
    known = {*resources, *(template.get("Parameters") or {})}
    # The SAM transform adds resources named after those it expands: ApiFunctionRole, ServerlessHttpApi.
    expanded = [name for name in resources if str(resources[name].get("Type")).startswith("AWS::Serverless")]
    prefixes = ("AWS::", "Serverless", *expanded)
    named = set(_references(template["Resources"])) | set(_references(template.get("Outputs")))
    return sorted(name for name in named - known if not name.startswith(prefixes))


def _references(node: object) -> Iterator[str]:
    """Yield the names that `node` and the nodes below it refer to."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _names_in(key, value)
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in below:
        yield from _references(part)


def _names_in(key: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - any part of a template
    """Yield the names that one Ref, GetAtt or Sub refers to."""
    match key, value:
        case "Ref", _:
            yield str(value)
        case "Fn::GetAtt", [resource, *_]:
            yield str(resource)
        case "Fn::Sub", [text, own]:
            yield from (name for name in _VARIABLE.findall(text) if name not in own)
        case "Fn::Sub", text:
            yield from _VARIABLE.findall(text)


def for_emulator(template: Template, bucket: str, code_key: str, layer_key: str) -> Template:
    """Return `template` with the archives in `bucket` as its code and layer, and a fixed API id.

    Statements that refuse callers without TLS are left out: the emulated AWS speaks plain HTTP on the loopback.
    """
    template = without_unsupported(template)
    changes = {
        "AWS::Serverless::Function": {"CodeUri": {"Bucket": bucket, "Key": code_key}},
        "AWS::Serverless::LayerVersion": {"ContentUri": {"Bucket": bucket, "Key": layer_key}},
    }
    resources = {}
    for name, resource in template["Resources"].items():
        given = resource.get("Properties") or {}
        properties = {
            **given,
            **_emulated_properties(resource["Type"], given),
            **changes.get(resource["Type"], {}),
        }
        resources[name] = {**resource, "Properties": properties}
    return {**template, "Resources": resources}


def without_unsupported(template: Template) -> Template:
    """Return `template` without what the emulated AWS refuses: saved queries, and alarms that compute.

    Such an alarm watches its first metric instead, so that the dashboard can refer to it.
    """
    resources = {
        name: {**resource, "Properties": _plain_alarm(resource["Properties"])}
        if resource["Type"] == _ALARM and "Metrics" in resource["Properties"]
        else resource
        for name, resource in template["Resources"].items()
        if resource["Type"] != "AWS::Logs::QueryDefinition"
    }
    return {**template, "Resources": resources}


def _plain_alarm(properties: Mapping[str, Any]) -> dict[str, Any]:
    watched = next(metric["MetricStat"] for metric in properties["Metrics"] if "MetricStat" in metric)
    plain = {"Statistic": watched["Stat"], "Period": watched["Period"], **watched["Metric"]}
    return {name: given for name, given in properties.items() if name != "Metrics"} | plain


def _emulated_properties(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that a resource of type `kind` needs changed on the emulated AWS."""
    if kind == "AWS::ApiGatewayV2::Api":
        return {"Tags": {**(properties.get("Tags") or {}), "ms-custom-id": API_ID}}
    if kind in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
        policy = properties["PolicyDocument"]
        remaining = [statement for statement in policy["Statement"] if not _requires_tls(statement)]
        return {"PolicyDocument": {**policy, "Statement": remaining}}
    return {}


def _requires_tls(statement: Mapping[str, Any]) -> bool:
    return statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}


def parameters_for(template: Template, wanted: dict[str, str]) -> dict[str, str]:
    """Return the entries of `wanted` that are parameters of `template`."""
    known = template.get("Parameters") or {}
    return {name: value for name, value in wanted.items() if name in known}
