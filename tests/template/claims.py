"""Claims about the deployed template, each with a defect that must make the claim fail."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from samtranslator.translator import translator

from infra.build.packaging import ROOT
from infra.build.template import Template, read
from infra.checks.expand import expand

# SAM validates its own templates of policies anew for each template that it expands: a fifth of the time.
translator.make_policy_template_for_function_plugin = cache(
    translator.make_policy_template_for_function_plugin
)

KEY = "arn:aws:kms:eu-central-1:123456789012:key/5f6b1e0c-0000-4000-8000-000000000000"

EVERYTHING = {"Stage": "prod", "KmsKeyArn": KEY, "AlarmEmail": "ops@example.com"} | {
    "Canary": "true",
    "Tracing": "true",
}
"""The parameters of a production stage with every option switched on."""


@dataclass(frozen=True)
class Expansions:
    """A template and its expansions by CloudFormation for some choices of parameters."""

    source: Template

    def with_(self, **parameters: str) -> Template:
        """Expand the template with `parameters`, and with the defaults of the others."""
        if self.source is source():
            return _expand_source(tuple(parameters.items()))
        return expand(self.source, parameters)

    @property
    def everything(self) -> dict[str, Any]:
        """The resources of a production stage with every option switched on."""
        resources: dict[str, Any] = self.with_(**EVERYTHING)["Resources"]
        return resources

    @property
    def defaults(self) -> dict[str, Any]:
        """The resources of a stage with the default parameters."""
        resources: dict[str, Any] = self.with_()["Resources"]
        return resources


@cache
def source() -> Template:
    """Return template.yaml."""
    return read(ROOT / "template.yaml")


@cache
def _expand_source(parameters: tuple[tuple[str, str], ...]) -> Template:
    return expand(source(), dict(parameters))


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of the resources of a type, by their logical ids."""
    return {
        name: resource.get("Properties", {})
        for name, resource in resources.items()
        if resource["Type"] == f"AWS::{kind}"
    }


def statements(resources: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each statement of the policies in resources of a type, with the logical id of the resource."""
    for name, resource in of_type(resources, kind).items():
        documents = [policy["PolicyDocument"] for policy in resource.get("Policies", [])]
        documents += [resource["PolicyDocument"]] if "PolicyDocument" in resource else []
        for document in documents:
            yield from ((name, statement) for statement in document["Statement"])


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def all_parts(node: Any) -> Iterator[Any]:
    """Yield a part of a template and every part below it."""
    yield node
    if isinstance(node, dict | list):
        for part in node.values() if isinstance(node, dict) else node:
            yield from all_parts(part)


def target_of(reference: Any) -> str:
    """Return the logical id of the resource that a Ref or a GetAtt refers to."""
    if "Ref" in reference:
        return str(reference["Ref"])
    return str(reference["Fn::GetAtt"][0])


Claim = Callable[[Expansions], None]
Defect = Callable[[dict[str, Any]], object]


@dataclass
class Claims:
    """The claims of a module, each with a defect."""

    registered: list[tuple[Claim, Defect]]

    def fails_with(self, defect: Defect) -> Callable[[Claim], Claim]:
        """Register a claim with a defect: a change of the template's resources that must make it fail."""

        def register(claim: Claim) -> Claim:
            self.registered.append((claim, defect))
            return claim

        return register

    @property
    def parameters(self) -> list[Any]:
        """The claims as parameters of a pytest test, with their names as ids."""
        return [pytest.param(claim, defect, id=claim.__name__) for claim, defect in self.registered]


def check(claim: Claim, defect: Defect) -> None:
    """Check that a claim holds for template.yaml, and fails for a copy with the defect."""
    claim(Expansions(source()))
    broken = copy.deepcopy(source())
    defect(broken["Resources"])
    with pytest.raises((AssertionError, KeyError, ValueError)):
        claim(Expansions(broken))


def properties(name: str, **changes: Any) -> Defect:
    """Return the defect that changes properties of a resource; None removes a property."""

    def change(resources: dict[str, Any]) -> None:
        present = resources[name].setdefault("Properties", {})
        assert changes.keys() <= present.keys() or None not in changes.values(), "there is nothing to remove"
        present.update(changes)
        for removed in [key for key, value in changes.items() if value is None]:
            del present[removed]

    return change
