"""docs/operations.md names outputs, alarms and make targets that exist."""

import re

from infra.build.packaging import ROOT
from tests.template.claims import of_type, source

DOCUMENT = (ROOT / "docs/operations.md").read_text()


def test_the_outputs_in_the_document_are_outputs_of_the_template() -> None:
    used = set(re.findall(r"\$\(out (\w+)\)", DOCUMENT))
    assert len(used) > 5
    assert used <= source()["Outputs"].keys()


def test_the_document_lists_exactly_the_alarms_of_the_template() -> None:
    alarms = {name.removesuffix("Alarm") for name in of_type(source()["Resources"], "CloudWatch::Alarm")}
    table = DOCUMENT.partition("| Alarm |")[2].partition("\n\n")[0]
    listed = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    whole = [name for name in listed if not name.startswith("…")]
    endings = tuple(name.removeprefix("…") for name in listed if name.startswith("…"))
    assert set(whole) == {name for name in alarms if not name.endswith(endings)}
    assert DOCUMENT.count(f"{len(alarms)} alarms") == 2, "their cost, and their cost under greater load"


def test_the_make_targets_in_the_document_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z0-9-]+)", "".join(re.findall(r"`[^`]+`|```.*?```", DOCUMENT, re.S))))
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"build", "destroy", "restore"} <= named <= targets


def test_the_log_group_in_the_document_is_that_of_the_api() -> None:
    name = source()["Resources"]["ApiLogGroup"]["Properties"]["LogGroupName"]["Fn::Sub"]
    assert f"`{name.replace('${AWS::StackName}', 'S')}`" in DOCUMENT
