"""Claims about the deployed template, each with a defect that must make it false."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from infra.build.packaging import ROOT
from infra.build.template import Template, read
from infra.checks.expand import expand

KEY = "arn:aws:kms:eu-central-1:123456789012:key/5f6b1e0c-0000-4000-8000-000000000000"

EVERYTHING = {"Stage": "prod", "KmsKeyArn": KEY, "AlarmEmail": "ops@example.com", "Canary": "true"}
"""A production stage with everything that can be switched on."""


@dataclass(frozen=True)
class Expansions:
    """A template, and what CloudFormation makes of it for some parameters."""

    source: Template

    def with_(self, **parameters: str) -> Template:
        """Expand for `parameters`, and for the defaults of the others."""
        if self.source is source():
            return _expanded(tuple(parameters.items()))
        return expand(self.source, parameters)

    @property
    def everything(self) -> dict[str, Any]:
        """The resources of a production stage."""
        resources: dict[str, Any] = self.with_(**EVERYTHING)["Resources"]
        return resources

    @property
    def defaults(self) -> dict[str, Any]:
        """The resources of who chooses nothing."""
        resources: dict[str, Any] = self.with_()["Resources"]
        return resources


@cache
def source() -> Template:
    """Return template.yaml."""
    return read(ROOT / "template.yaml")


@cache
def _expanded(parameters: tuple[tuple[str, str], ...]) -> Template:
    return expand(source(), dict(parameters))


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of the resources of a type, by their names."""
    return {
        name: made.get("Properties", {}) for name, made in resources.items() if made["Type"] == f"AWS::{kind}"
    }


def everything_in(node: Any) -> Iterator[Any]:
    """Yield a part of a template and all parts of it."""
    yield node
    if isinstance(node, dict | list):
        for part in node.values() if isinstance(node, dict) else node:
            yield from everything_in(part)


def named(reference: Any) -> str:
    """Return the name of the resource that a Ref or a GetAtt is about."""
    if "Ref" in reference:
        return str(reference["Ref"])
    return str(reference["Fn::GetAtt"][0])


Claim = Callable[[Expansions], None]
Defect = Callable[[dict[str, Any]], object]


@dataclass
class Claims:
    """The claims of a module, to be tried as they are and with their defects."""

    made: list[tuple[Claim, Defect]]

    def but_for(self, defect: Defect) -> Callable[[Claim], Claim]:
        """Note a claim, and what done to the template's resources makes it false."""

        def note(claim: Claim) -> Claim:
            self.made.append((claim, defect))
            return claim

        return note

    @property
    def parameters(self) -> list[Any]:
        """The claims for pytest, under their names."""
        return [pytest.param(claim, defect, id=claim.__name__) for claim, defect in self.made]


def holds(claim: Claim, defect: Defect) -> None:
    """Try a claim on template.yaml, and on one with the defect in it, where it has to fail."""
    claim(Expansions(source()))
    broken = copy.deepcopy(source())
    defect(broken["Resources"])
    with pytest.raises((AssertionError, KeyError, ValueError)):
        claim(Expansions(broken))


def properties(name: str, **changes: Any) -> Defect:
    """Return the defect that a resource has other properties; None takes one away."""

    def change(resources: dict[str, Any]) -> None:
        made = resources[name].setdefault("Properties", {})
        assert changes.keys() <= made.keys() or None not in changes.values(), "nothing to take away"
        made.update(changes)
        for gone in [key for key, value in changes.items() if value is None]:
            del made[gone]

    return change
