from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType

import pytest
from botocore.stub import Stubber

from infra.commands.command_error import CommandError
from infra.local.emulator import client_at
from infra.operate import destroy as teardown
from infra.operate import forget, restore
from infra.operate.command import outputs_of, run_steps


def test_what_is_broken_off_tells_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    def steps() -> Iterator[str]:
        yield "deleted one"
        raise KeyboardInterrupt

    assert run_steps(steps) == 130
    told = capsys.readouterr()
    assert (told.out, told.err) == ("deleted one\n", "broken off: what is printed above is done\n")


def test_a_stack_of_something_else_is_refused() -> None:
    stacks = client_at("http://127.0.0.1:9", "cloudformation")
    stack = {
        "StackName": "other",
        "StackStatus": "CREATE_COMPLETE",
        "CreationTime": datetime(2024, 1, 1, tzinfo=UTC),
        "Outputs": [{"OutputKey": "Colour", "OutputValue": "green"}],
    }
    with Stubber(stacks) as answers:
        answers.add_response("describe_stacks", {"Stacks": [stack]})
        with pytest.raises(CommandError, match="the stack other is none of this service"):
            outputs_of(stacks, "other")


@pytest.mark.parametrize(
    ("command", "environment", "told"),
    [
        (forget, {}, "STACK= names the deployed stack"),
        (forget, {"STACK": "x"}, "CONTRACTS= or METERS= names whom to forget"),
        (forget, {"STACK": "x", "METERS": "m"}, "this deletes m from x, for good: say so with CONFIRM=x"),
        (forget, {"STACK": "x", "METERS": "m", "CONFIRM": "m"}, "CONFIRM=x"),
        (forget, {"STACK": "x", "CONTRACTS": " 1, 2,", "METERS": ","}, "this deletes 1, 2 from x"),
        (restore, {}, "TABLE= names"),
        (restore, {"TABLE": "t"}, "FROM= names"),
        (restore, {"TABLE": "t", "FROM": "f"}, "this overwrites every item of t: say so with CONFIRM=t"),
        (restore, {"TABLE": "t", "FROM": "f", "PREFIX": "p"}, "every item of t below p"),
        (teardown, {}, "STACK= names the deployed stack"),
        (teardown, {"STACK": "x"}, "this deletes all data of x: say so with CONFIRM=x"),
        (teardown, {"STACK": "x", "CONFIRM": "yes"}, "CONFIRM=x"),
        (teardown, {"STACK": "x", "CONFIRM": "x-2"}, "CONFIRM=x"),
    ],
)
def test_nothing_is_deleted_or_overwritten_by_mistake(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: ModuleType,
    environment: dict[str, str],
    told: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run_steps(command._steps) == 1
    assert told in capsys.readouterr().err
