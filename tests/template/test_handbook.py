"""docs/operations.md names what there is: outputs, alarms, targets of make."""

import re

from infra.build.packaging import ROOT
from tests.template.claims import of_type, source

HANDBOOK = (ROOT / "docs/operations.md").read_text()


def test_the_outputs_that_the_handbook_asks_for_are_outputs() -> None:
    asked = set(re.findall(r"\$\(out (\w+)\)", HANDBOOK))
    assert len(asked) > 5
    assert asked <= source()["Outputs"].keys()


def test_each_alarm_is_in_the_handbook_and_no_other() -> None:
    alarms = {name.removesuffix("Alarm") for name in of_type(source()["Resources"], "CloudWatch::Alarm")}
    table = HANDBOOK.partition("| Alarm |")[2].partition("\n\n")[0]
    told = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    known = [name for name in told if not name.startswith("…")]
    endings = tuple(name.removeprefix("…") for name in told if name.startswith("…"))
    assert set(known) == {name for name in alarms if not name.endswith(endings)}
    assert HANDBOOK.count(f"{len(alarms)} alarms") == 2, "what they cost, and what they are at a greater load"


def test_the_targets_that_the_handbook_names_are_targets_of_make() -> None:
    named = set(re.findall(r"\bmake ([a-z0-9-]+)", "".join(re.findall(r"`[^`]+`|```.*?```", HANDBOOK, re.S))))
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"build", "destroy", "restore"} <= named <= targets


def test_the_log_that_the_handbook_looks_into_is_the_log_of_the_api() -> None:
    name = source()["Resources"]["ApiLogGroup"]["Properties"]["LogGroupName"]["Fn::Sub"]
    assert f"`{name.replace('${AWS::StackName}', 'S')}`" in HANDBOOK
