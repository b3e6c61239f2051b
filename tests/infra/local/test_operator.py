from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from infra.local.cloud import client_at
from infra.local.operator import outputs_of, tell
from infra.local.processes import LocalRunError


def test_what_is_broken_off_tells_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    def steps() -> Iterator[str]:
        yield "deleted one"
        raise KeyboardInterrupt

    assert tell(steps) == 130
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
        with pytest.raises(LocalRunError, match="the stack other is none of this service"):
            outputs_of(stacks, "other")
