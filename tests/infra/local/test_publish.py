import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.contracts.trails import Entry, Reception, Source
from domain.contracts.verdicts import ACCEPTED
from infra.commands.command_error import CommandError
from infra.local import publish
from infra.local.publish import _is_row_of, _sent, read_events, with_id

START = {
    "type": "supply_energy_start",
    "contract_number": "1001",
    "date": "2024-01-01",
    "created_at": "2023-12-01T00:00:00Z",
    "id": "mine",
}


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (json.dumps(START), [START]),
        (json.dumps(START, indent=2), [START]),
        (json.dumps([START, "x"]), [START, "x"]),
        ("[]", []),
        (f"{json.dumps(START)}\n\n  {json.dumps(START)}\r\n", [START, START]),
        ("", []),
    ],
)
def test_a_file_holds_one_event_a_list_or_one_on_each_line(text: str, events: list[Any]) -> None:
    assert read_events(text, "events") == events


def test_a_line_that_is_not_json_is_named() -> None:
    with pytest.raises(CommandError, match=r"^events:3: not JSON"):
        read_events(f"{json.dumps(START)}\n\n{{\n", "events")


def test_an_event_without_an_id_gets_one_and_others_keep_theirs() -> None:
    assert with_id(START) == START
    without = {**START, "id": None}
    first, second = with_id(without), with_id(without)
    assert {**first, "id": None} == without
    assert first["id"] != second["id"]
    assert with_id("no object") == "no object"


def test_the_row_of_another_event_with_the_same_id_is_not_used() -> None:
    event = _sent(START, "envelope").event
    assert event is not None
    row = Entry(event, ACCEPTED, "", Reception(datetime.now(UTC), Source.BUS, ""))
    undated = {name: value for name, value in START.items() if name != "created_at"}
    assert _is_row_of(_sent(START, "envelope"), row)
    assert _is_row_of(_sent(undated, "envelope"), row)
    for change in ({"date": "2024-01-02"}, {"created_at": "2023-12-01T00:00:01Z"}, {"colour": "green"}):
        assert not _is_row_of(_sent({**START, **change}, "envelope"), row)


def test_control_characters_are_not_printed() -> None:
    assert "\x1b" not in _sent({"type": "\x1b[2J"}, "envelope").line


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "FILE= is required: the file with the events"),
        ({"FILE": "events.json", "WAIT": "long"}, "WAIT=long is not a number"),
        ({"FILE": "events.json"}, "no run is up in RUN_DIR="),
    ],
)
def test_a_missing_or_wrong_setting_is_reported_in_one_line(
    tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    with pytest.raises(CommandError) as error:
        publish.publish({"RUN_DIR": str(tmp_path), **environment})
    assert message in str(error.value)


def test_a_missing_file_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text("{}")
    with pytest.raises(CommandError, match=r"missing\.json cannot be read: No such file"):
        publish.publish({"RUN_DIR": str(tmp_path), "FILE": str(tmp_path / "missing.json")})
