"""template.yaml as the local cloud gets it: the same resources, with the archives' places filled in."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.commands.processes import CommandError

API_ID = "energy-operations"  # pins the id of the HTTP API, and with it the path of `gateway_url`

Template = dict[str, Any]


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
# A date stays the text it is: CloudFormation knows no other kind.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Template:
    """Read a CloudFormation template; CommandError names the line of a mistake."""
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
    """Return the names in Ref, GetAtt and Sub that nothing in `template` has; the emulator lets them pass."""
    resources: dict[str, Any] = template["Resources"]
    known = {*resources, *(template.get("Parameters") or {})}
    # The SAM transform adds resources named after those it expands: ApiFunctionRole, ServerlessHttpApi.
    expanded = [name for name in resources if str(resources[name].get("Type")).startswith("AWS::Serverless")]
    prefixes = ("AWS::", "Serverless", *expanded)
    named = set(_references(template["Resources"])) | set(_references(template.get("Outputs")))
    return sorted(name for name in named - known if not name.startswith(prefixes))


def _references(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield str(value)
            elif key == "Fn::GetAtt" and isinstance(value, list):
                yield str(value[0])
            elif key == "Fn::Sub":
                text, own = value if isinstance(value, list) else (value, {})
                names = re.findall(r"\$\{([^!}][^}.]*)[^}]*\}", text)
                yield from (name for name in names if name not in own)
            yield from _references(value)


def localised(template: Template, bucket: str, code_key: str, layer_key: str) -> Template:
    """Return `template` with the archives in `bucket` as its code and layer, and a stable API id.

    What refuses callers without TLS is left out: the emulated AWS speaks plain HTTP on the loopback.
    """
    resources = {name: dict(resource) for name, resource in template["Resources"].items()}
    for resource in resources.values():
        properties = resource["Properties"] = dict(resource.get("Properties") or {})
        if resource["Type"] == "AWS::Serverless::Function":
            properties["CodeUri"] = {"Bucket": bucket, "Key": code_key}
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = {"Bucket": bucket, "Key": layer_key}
        elif resource["Type"] == "AWS::ApiGatewayV2::Api":
            properties["Tags"] = {**(properties.get("Tags") or {}), "ms-custom-id": API_ID}
        elif resource["Type"] in ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
            policy = properties["PolicyDocument"]
            kept = [statement for statement in policy["Statement"] if not _demands_tls(statement)]
            properties["PolicyDocument"] = {**policy, "Statement": kept}
    return {**template, "Resources": resources}


def _demands_tls(statement: Mapping[str, Any]) -> bool:
    return statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}


def parameters_for(template: Template, wanted: dict[str, str]) -> dict[str, str]:
    """Return those of `wanted` that `template` has a parameter for."""
    known = template.get("Parameters") or {}
    return {name: value for name, value in wanted.items() if name in known}
