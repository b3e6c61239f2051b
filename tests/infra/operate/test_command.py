from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType

import pytest
from botocore.stub import Stubber

from infra.commands.command_error import CommandError
from infra.local.emulator import client_at
from infra.operate import destroy, forget, restore
from infra.operate.command import run_steps, stack_outputs


def test_an_interrupted_command_prints_the_steps_that_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    def steps() -> Iterator[str]:
        yield "deleted one"
        raise KeyboardInterrupt

    assert run_steps(steps) == 130
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("deleted one\n", "interrupted: the steps printed above are done\n")


def test_a_stack_of_another_service_is_refused() -> None:
    stacks = client_at("http://127.0.0.1:9", "cloudformation")
    stack = {
        "StackName": "other",
        "StackStatus": "CREATE_COMPLETE",
        "CreationTime": datetime(2024, 1, 1, tzinfo=UTC),
        "Outputs": [{"OutputKey": "Colour", "OutputValue": "green"}],
    }
    with Stubber(stacks) as responses:
        responses.add_response("describe_stacks", {"Stacks": [stack]})
        with pytest.raises(CommandError, match="the stack other is not a stack of this service"):
            stack_outputs(stacks, "other")


@pytest.mark.parametrize(
    ("command", "environment", "message"),
    [
        (forget, {}, "STACK= is required: the name of the deployed stack"),
        (forget, {"STACK": "x"}, "CONTRACTS= or METERS= is required"),
        (forget, {"STACK": "x", "METERS": "m"}, "this permanently deletes m from x: confirm with CONFIRM=x"),
        (forget, {"STACK": "x", "METERS": "m", "CONFIRM": "m"}, "CONFIRM=x"),
        (
            forget,
            {"STACK": "x", "CONTRACTS": " 1, 2,", "METERS": ","},
            "this permanently deletes 1, 2 from x",
        ),
        (restore, {}, "TABLE= is required"),
        (restore, {"TABLE": "t"}, "FROM= is required"),
        (restore, {"TABLE": "t", "FROM": "f"}, "this overwrites every item of t: confirm with CONFIRM=t"),
        (restore, {"TABLE": "t", "FROM": "f", "PREFIX": "p"}, "PREFIX= is now CONTRACTS= or METERS="),
        (
            restore,
            {"TABLE": "t", "FROM": "f", "CONTRACTS": "1,2", "METERS": "m"},
            "this overwrites contract 1, contract 2, meter m in t: confirm with CONFIRM=t",
        ),
        (destroy, {}, "STACK= is required: the name of the deployed stack"),
        (destroy, {"STACK": "x"}, "this deletes all data of x: confirm with CONFIRM=x"),
        (destroy, {"STACK": "x", "CONFIRM": "yes"}, "CONFIRM=x"),
        (destroy, {"STACK": "x", "CONFIRM": "x-2"}, "CONFIRM=x"),
    ],
)
def test_nothing_is_deleted_or_overwritten_by_mistake(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: ModuleType,
    environment: dict[str, str],
    message: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert run_steps(command._steps) == 1
    assert message in capsys.readouterr().err
