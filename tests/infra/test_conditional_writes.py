"""What a failed write is called: only where an attempt may have been applied is the outcome unknown."""

import json
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from infra.conditional_writes import Writer
from infra.write_outcomes import (
    Applied,
    BusyError,
    ImpossibleWriteError,
    NotApplied,
    Outcome,
    OutcomeUnknownError,
    Reason,
    Refused,
    Unknown,
)
from tests.engines import client_of
from tests.faults import answer_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Answer = Exception | tuple[int, dict[str, Any]]

APPLIED: Answer = (200, {})
THROTTLED: Answer = (400, {"__type": "ProvisionedThroughputExceededException"})
CONFLICT: Answer = (400, {"__type": "TransactionConflictException"})
PENDING: Answer = (400, {"__type": "TransactionInProgressException"})
NOT_ALLOWED: Answer = (400, {"__type": "AccessDeniedException"})
INVALID: Answer = (400, {"__type": "ValidationException"})
BROKEN: Answer = (500, {"__type": "InternalServerError"})
UNAVAILABLE: Answer = (503, {"__type": "ServiceUnavailable"})
LOST: Answer = ReadTimeoutError(endpoint_url="https://aws")
NEVER_SENT: Answer = ConnectTimeoutError(endpoint_url="https://aws")
REFUSED: Answer = (400, {"__type": "ConditionalCheckFailedException", "Item": {"pk": {"S": "it"}}})

ROW = {"pk": {"S": "row"}}
FAILED = {"Code": "ConditionalCheckFailed", "Item": ROW}
PASSED = {"Code": "None"}


def cancelled(*reasons: dict[str, Any]) -> Answer:
    return (400, {"__type": "TransactionCanceledException", "CancellationReasons": list(reasons)})


class Script:
    """A network that gives each sending its next answer, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers: Iterator[Answer] = chain(answers, repeat(answers[-1]))
        self.tokens: list[str] = []

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        self.tokens.append(
            json.loads(str(request.body, "utf-8") if isinstance(request.body, bytes) else "").get(
                "ClientRequestToken", ""
            )
        )
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer_of(request.url, *answer)


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def scripted(*answers: Answer) -> tuple["DynamoDBClient", Script]:
    client, script = client_of("http://127.0.0.1:1"), Script(*answers)
    client._endpoint.http_session = script  # type: ignore[attr-defined]
    return client, script


def write(client: "DynamoDBClient") -> object:
    return Writer(client).update(TableName="table", Key=ROW)


def transact(client: "DynamoDBClient") -> object:
    return Writer(client).transact([{"Put": {"TableName": "table", "Item": ROW}}])


def transact_once(client: "DynamoDBClient") -> object:
    return Writer(client).transact_once([{"Put": {"TableName": "table", "Item": ROW}}])


Write = Callable[["DynamoDBClient"], object]


@pytest.mark.parametrize("answer", [THROTTLED, CONFLICT, NEVER_SENT], ids=["throttle", "conflict", "connect"])
@pytest.mark.parametrize("send", [write, transact])
def test_an_attempt_that_stored_nothing_and_may_work_later_is_busy(send: Write, answer: Answer) -> None:
    client, _ = scripted(answer)
    with pytest.raises(BusyError):
        send(client)


@pytest.mark.parametrize("answer", [NOT_ALLOWED, INVALID], ids=["not allowed", "invalid"])
@pytest.mark.parametrize("send", [write, transact])
def test_a_write_that_can_never_work_is_sent_once_and_is_impossible(send: Write, answer: Answer) -> None:
    client, script = scripted(answer)
    with pytest.raises(ImpossibleWriteError):
        send(client)
    assert len(script.tokens) == 1


DOUBTS = {
    "lost": [LOST],
    "an error inside": [BROKEN],
    "unavailable": [UNAVAILABLE],
    "in progress for ever": [PENDING],
    "lost, then throttled for ever": [LOST, THROTTLED],
    "throttled, lost, throttled for ever": [THROTTLED, LOST, THROTTLED],
    "an error inside, then not allowed": [BROKEN, NOT_ALLOWED],
    "no connection, lost, no connection": [NEVER_SENT, LOST, NEVER_SENT],
}


@pytest.mark.parametrize("answers", DOUBTS.values(), ids=DOUBTS.keys())
@pytest.mark.parametrize("send", [write, transact])
def test_one_attempt_in_doubt_makes_the_outcome_unknown_whatever_the_last_one_returned(
    send: Write, answers: list[Answer]
) -> None:
    client, _ = scripted(*answers)
    with pytest.raises(OutcomeUnknownError):
        send(client)


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([APPLIED], Applied),
        ([cancelled(FAILED)], Refused),
        ([cancelled({"Code": "TransactionConflict"})], NotApplied),
        ([LOST], Unknown),
    ],
)
def test_a_transaction_that_is_sent_once_has_one_of_four_outcomes(
    answers: list[Answer], outcome: type[Outcome]
) -> None:
    client, _ = scripted(*answers)
    assert isinstance(transact_once(client), outcome)


def test_a_transaction_that_is_sent_once_is_not_sent_again_after_a_conflict() -> None:
    client, script = scripted(cancelled({"Code": "TransactionConflict"}))
    transact_once(client)
    assert len(script.tokens) == 1


def test_an_update_returns_the_attributes_that_it_asks_for() -> None:
    client, _ = scripted((200, {"Attributes": ROW}))
    assert write(client) == Applied(ROW)


def test_a_conflict_after_doubt_leaves_the_outcome_unknown_in_later_attempts() -> None:
    client, _ = scripted(LOST, CONFLICT)
    with pytest.raises(OutcomeUnknownError):
        write(client)


@pytest.mark.parametrize(
    "answers",
    [[CONFLICT, CONFLICT, APPLIED], [*[THROTTLED] * 7, APPLIED], [LOST, CONFLICT, APPLIED]],
    ids=["conflicts", "throttles", "doubt that a later attempt ends"],
)
def test_a_write_to_a_busy_contract_is_sent_again(answers: list[Answer]) -> None:
    client, _ = scripted(*answers)
    assert write(client) == Applied()


def test_attempts_end_with_the_time_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    client, script = scripted(CONFLICT)
    with pytest.raises(BusyError):
        Writer(client).transact([{"Put": {"TableName": "table", "Item": ROW}}])
    assert len(script.tokens) == 2


def test_a_refusal_contains_the_item_of_the_condition() -> None:
    client, _ = scripted(LOST, REFUSED)
    assert write(client) == Refused((Reason(True, {"pk": {"S": "it"}}),))


def test_of_a_refused_transaction_each_write_has_its_reason() -> None:
    client, _ = scripted(cancelled(PASSED, FAILED))
    assert transact(client) == Refused((Reason(False, None), Reason(True, ROW)))


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_refusal_beside_a_conflict_or_a_throttle_decides_nothing(code: str) -> None:
    client, script = scripted(cancelled({"Code": code}, FAILED), cancelled(FAILED, PASSED))
    assert transact(client) == Refused((Reason(True, ROW), Reason(False, None)))
    assert len(script.tokens) == 2
    assert len(set(script.tokens)) == 1, "one token, so that no attempt is applied beside another"


def test_a_transaction_that_is_cancelled_as_malformed_is_impossible() -> None:
    client, _ = scripted(cancelled({"Code": "ValidationError"}, FAILED))
    with pytest.raises(ImpossibleWriteError):
        transact(client)
