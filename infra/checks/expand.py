"""Expands template.yaml as CloudFormation does with its transforms, for one choice of parameters.

    python -m infra.checks.expand Stage=prod AlarmEmail=ops@example.com > expanded.json

It needs no access to AWS. Values that exist only in a stack stay as they are: references to resources, and
pseudo parameters such as AWS::Region.
"""

import copy
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.intrinsics.resolver import IntrinsicsResolver
from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.utils.py27hash_fix import to_py27_compatible_template, undo_mark_unicode_str_in_template

from infra.build.packaging import ROOT
from infra.build.template import Template, read
from infra.commands.command_error import CommandError
from infra.commands.isolated_session import isolated_session
from infra.commands.processes import REGION

_RESOLVED = ("Conditions", "Resources", "Outputs")
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_NO_VALUE = {"Ref": "AWS::NoValue"}


def expand(template: Template, parameters: Mapping[str, str]) -> Template:
    """Return `template` with `parameters` inserted, SAM's resources expanded, and every condition resolved.

    Raises:
        CommandError: a parameter is unknown or missing, a rule forbids the choice, a condition depends on more
            than parameters, or SAM refuses the template.
    """
    values = _parameter_values(template, parameters)
    resolver = IntrinsicsResolver(values)
    given = copy.deepcopy(template)
    _check_rules(resolver.resolve_parameter_refs(given.pop("Rules", {})))
    _set_code_locations(given["Resources"])
    # In CloudFormation's order: SAM sees references to parameters, but neither their values nor resolved conditions.
    transformed = _transform(given, values)
    for section in _RESOLVED:
        if section in transformed:
            transformed[section] = resolver.resolve_parameter_refs(transformed[section])
    return _Conditions(transformed.pop("Conditions", {})).apply_to(transformed)


def _parameter_values(template: Template, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return each parameter's value, or else its default, as text, which is CloudFormation's type of parameters."""
    declared: dict[str, Any] = template.get("Parameters") or {}
    if unknown := sorted(parameters.keys() - declared.keys()):
        raise CommandError(f"the template has no parameter {', '.join(unknown)}")
    defaults = {name: one["Default"] for name, one in declared.items() if "Default" in one}
    values = {**defaults, **parameters}
    if missing := sorted(declared.keys() - values.keys()):
        raise CommandError(f"the template needs a value for {', '.join(missing)}")
    for name, parameter in declared.items():
        allowed = [str(value) for value in parameter.get("AllowedValues", [])]
        if allowed and str(values[name]) not in allowed:
            raise CommandError(f"{name}={values[name]} is not one of {', '.join(allowed)}")
    return {name: str(value) for name, value in values.items()}


def _check_rules(rules: Mapping[str, Any]) -> None:
    """Raise CommandError if a rule of the template forbids the parameters, which are inserted already."""
    literal = _Conditions({})
    applying = [
        rule for rule in rules.values() if "RuleCondition" not in rule or literal.holds(rule["RuleCondition"])
    ]
    for assertion in (assertion for rule in applying for assertion in rule["Assertions"]):
        if not literal.holds(assertion["Assert"]):
            raise CommandError(assertion["AssertDescription"])


def _set_code_locations(resources: dict[str, Any]) -> None:
    """Replace folders of code by locations in a bucket, which SAM requires."""
    for name, resource in resources.items():
        key = _CODE.get(resource["Type"], "")
        if isinstance(resource.get("Properties", {}).get(key), str):
            resource["Properties"][key] = {"Bucket": "artifacts", "Key": f"{name}.zip"}


@cache
def _session() -> boto3.Session:
    """Return a session of which SAM reads only the region: its own, since boto3 changes the one it receives."""
    return boto3.Session(botocore_session=isolated_session(), region_name=REGION)


def _transform(template: Template, values: Mapping[str, Any]) -> Template:
    to_py27_compatible_template(template, dict(values))
    translator = Translator({}, Parser(), boto_session=_session())
    try:
        marked = translator.translate(template, dict(values))
    except InvalidDocumentException as error:
        raise CommandError("; ".join(str(cause.message) for cause in error.causes)) from error
    plain: Template = undo_mark_unicode_str_in_template(marked)
    return plain


@dataclass(frozen=True)
class _Conditions:
    """The conditions of a template into which the parameters are inserted already."""

    definitions: Mapping[str, Any]

    def apply_to(self, template: Template) -> Template:
        """Return `template` without the resources and outputs whose condition does not hold."""
        for section in ("Resources", "Outputs"):
            entries = (template.get(section) or {}).items()
            included = {name: entry for name, entry in entries if self._is_included(entry)}
            template[section] = {name: self.resolve(entry) for name, entry in included.items()}
        for resource in template["Resources"].values():
            self._drop_references_to_removed(resource, template["Resources"])
        return template

    def _is_included(self, entry: dict[str, Any]) -> bool:
        name = entry.pop("Condition", None)
        return name is None or self.holds(name)

    @staticmethod
    def _drop_references_to_removed(resource: dict[str, Any], resources: Mapping[str, Any]) -> None:
        """Remove dependencies on resources whose condition does not hold, as CloudFormation does."""
        wanted = resource.pop("DependsOn", [])
        names = [wanted] if isinstance(wanted, str) else wanted
        if remaining := [name for name in names if name in resources]:
            resource["DependsOn"] = remaining

    def holds(self, expression: object) -> bool:
        """Return whether a condition, given by its name or as an expression, holds."""
        match expression:
            case str(name) | {"Condition": str(name)} if name in self.definitions:
                return self.holds(self.definitions[name])
            case {"Fn::Equals": [str() | int() as left, str() | int() as right]}:
                return str(left) == str(right)
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::And": list(parts)}:
                return all(self.holds(part) for part in parts)
            case {"Fn::Or": list(parts)}:
                return any(self.holds(part) for part in parts)
        raise CommandError(f"whether {json.dumps(expression)} holds cannot be decided from the template")

    def resolve(self, node: Any) -> Any:  # noqa: ANN401 - any part of a template
        """Return `node` with one branch of each Fn::If, and without the parts that are AWS::NoValue then."""
        match node:
            case {"Fn::If": [name, yes, no]}:
                return self.resolve(yes if self.holds(name) else no)
            case {"Fn::Sub": str(text)} if "${" not in text:
                return text
            case dict():
                parts = {key: self.resolve(value) for key, value in node.items()}
                return {key: part for key, part in parts.items() if part != _NO_VALUE}
            case list():
                return [part for item in node if (part := self.resolve(item)) != _NO_VALUE]
        return node


def _parse(arguments: Sequence[str]) -> dict[str, str]:
    if wrong := [argument for argument in arguments if "=" not in argument]:
        raise CommandError(f"{wrong[0]} is not a parameter and its value: write Name=value")
    return dict(argument.split("=", 1) for argument in arguments)


def main() -> int:
    """Print template.yaml expanded for the parameters `Name=value` of the command line."""
    try:
        parameters = _parse(sys.argv[1:])
        print(json.dumps(expand(read(Path(ROOT, "template.yaml")), parameters), indent=2))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
