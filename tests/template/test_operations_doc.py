"""docs/operations.md names outputs, alarms and make targets that exist."""

import re

import pytest

from infra.build.packaging import ROOT
from tests.template.claims import of_type, source

DOCUMENT = (ROOT / "docs/operations.md").read_text()


def test_the_outputs_in_the_document_are_outputs_of_the_template() -> None:
    used = set(re.findall(r"\$\(out (\w+)\)", DOCUMENT))
    assert len(used) > 5
    assert used <= source()["Outputs"].keys()


def alarms() -> dict[str, str]:
    """Return the descriptions of the alarms by their names."""
    found = of_type(source()["Resources"], "CloudWatch::Alarm")
    return {name.removesuffix("Alarm"): alarm["AlarmDescription"] for name, alarm in found.items()}


def rows() -> dict[str, tuple[str, str]]:
    """Return what the document says that each alarm means, and what to do; a name may begin with an ellipsis."""
    table = DOCUMENT.partition("| Alarm |")[2].partition("\n\n")[0]
    cells = [re.split(r"(?<!\\)\|", row)[1:4] for row in table.splitlines()[2:]]
    return {re.findall(r"`([^`]+)`", alarm)[0]: (means.strip(), do.strip()) for alarm, means, do in cells}


def row_of(name: str) -> tuple[str, str]:
    (ending,) = [listed for listed in rows() if listed.startswith("…")]
    return rows().get(name) or (rows()[ending] if name.endswith(ending.removeprefix("…")) else ("", ""))


def test_the_document_lists_exactly_the_alarms_of_the_template() -> None:
    assert {name for name in rows() if not name.startswith("…")} <= alarms().keys()
    assert [name for name in alarms() if not all(row_of(name))] == []
    assert DOCUMENT.count(f"{len(alarms())} alarms") == 2, "their cost, and their cost under greater load"


def heading_in(description: str) -> str | None:
    """Return the heading that a description of an alarm ends with, after what it means and what to do."""
    found = re.fullmatch(r'[A-Z].+?\. [A-Z].+?\. See "([^"]+)" in docs/operations\.md\.', description)
    return found[1] if found else None


@pytest.mark.parametrize("name", alarms())
def test_an_alarm_says_what_to_do_and_where_the_handbook_says_more(name: str) -> None:
    headings = re.findall(r"^## (.+)$", DOCUMENT, re.MULTILINE)
    assert heading_in(alarms()[name]) in headings


@pytest.mark.parametrize(
    "description",
    [
        "Events became dead letters.",
        "Events became dead letters. Run make redrive.",
        'Events became dead letters. See "Redrive" in docs/operations.md.',
    ],
)
def test_a_description_without_one_of_these_is_found(description: str) -> None:
    assert heading_in(description) is None


@pytest.mark.parametrize("name", alarms())
def test_the_handbook_and_the_alarm_agree_on_what_it_means(name: str) -> None:
    assert alarms()[name].lower().startswith(row_of(name)[0].lower())


def test_the_saved_queries_in_the_document_are_those_of_the_template() -> None:
    section = DOCUMENT.partition("## Search the logs")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    saved = of_type(source()["Resources"], "Logs::QueryDefinition").values()
    assert listed == [query["Name"]["Fn::Sub"].partition("/")[2] for query in saved]


def test_the_make_targets_in_the_document_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z0-9-]+)", "".join(re.findall(r"`[^`]+`|```.*?```", DOCUMENT, re.S))))
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"build", "destroy", "restore"} <= named <= targets


def test_the_log_group_in_the_document_is_that_of_the_api() -> None:
    name = source()["Resources"]["ApiLogGroup"]["Properties"]["LogGroupName"]["Fn::Sub"]
    assert f"`{name.replace('${AWS::StackName}', 'S')}`" in DOCUMENT
