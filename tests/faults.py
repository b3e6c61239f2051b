"""A network that loses, doubles and refuses requests: faults between a client and its engine."""

import json
from collections.abc import Iterator
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError


class Fault(Enum):
    """What happens to one sending of one request."""

    NONE = auto()
    LOST_REQUEST = auto()
    LOST_ANSWER = auto()
    DOUBLED = auto()
    THROTTLED = auto()
    CONFLICT = auto()
    CONFLICT_BESIDE_ROW = auto()
    CONFLICT_BESIDE_UPDATE = auto()
    ERROR_BEFORE = auto()
    ERROR_AFTER = auto()
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()


class Crash(BaseException):
    """The process ends here; nothing below a test may catch it."""


class _Body:
    """The raw body of an answer, as botocore reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def answer_of(url: str, status: int, body: dict[str, Any]) -> AWSResponse:
    """Return an answer of DynamoDB."""
    return AWSResponse(url, status, HTTPHeaders(), _Body(json.dumps(body).encode()))


def _answer(url: str, status: int, error: str, **more: Any) -> AWSResponse:
    return answer_of(
        url, status, {"__type": f"com.amazonaws.dynamodb.v20120810#{error}", "message": error} | more
    )


def agree_at_once(client: Any) -> None:
    """Let every call of `client` succeed without an engine, for tests of what happens afterwards."""
    client.meta.events.register(
        "before-send.*.*", lambda request, **_: AWSResponse(request.url, 200, HTTPHeaders(), _Body(b"{}"))
    )


_CONFLICTS = [{"Code": "TransactionConflict"}, {"Code": "None"}]


_BESIDE = {Fault.CONFLICT_BESIDE_UPDATE: 1, Fault.CONFLICT_BESIDE_ROW: 0}
"""Which of the two writes of a transaction meets the conflict, where the other is refused."""


def _with_a_conflict(answer: AWSResponse, url: str, place: int) -> AWSResponse:
    """Put a conflict into the reasons of a refused transaction of two writes."""
    if answer.status_code == HTTPStatus.OK:
        return answer
    body = json.loads(answer.content)
    reasons = body.get("CancellationReasons", [])
    if len(reasons) != 2:  # an event and its row
        return answer
    reasons[place] = {"Code": "TransactionConflict"}
    return _answer(url, answer.status_code, "TransactionCanceledException", CancellationReasons=reasons)


def _answer_instead(request: AWSPreparedRequest, fault: Fault) -> AWSResponse | None:
    """Return the answer of a request that never reached the engine's items, where `fault` is that."""
    target = str(request.headers["X-Amz-Target"])
    match fault:
        case Fault.THROTTLED:
            return _answer(request.url, 400, "ProvisionedThroughputExceededException")
        case Fault.CONFLICT if "TransactWriteItems" in target:
            return _answer(request.url, 400, "TransactionCanceledException", CancellationReasons=_CONFLICTS)
        case Fault.CONFLICT if "PutItem" in target or "UpdateItem" in target:
            return _answer(request.url, 400, "TransactionConflictException")
        case Fault.ERROR_BEFORE:
            return _answer(request.url, 500, "InternalServerError")
    return None


class FaultyNetwork:
    """Replaces the HTTP session of a client; each request gets the next fault, and none when they are used up."""

    def __init__(self, client: Any) -> None:
        self.faults: Iterator[Fault] = iter(())
        self.sent = 0
        self._session = client._endpoint.http_session
        client._endpoint.http_session = self

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Send `request`, or not, and answer, or not."""
        self.sent += 1
        fault = next(self.faults, Fault.NONE)
        if fault is Fault.LOST_REQUEST:
            raise ConnectTimeoutError(endpoint_url=request.url)
        if fault is Fault.CRASH_BEFORE:
            raise Crash
        return _answer_instead(request, fault) or self._send(request, fault)

    def _send(self, request: AWSPreparedRequest, fault: Fault) -> AWSResponse:
        answer: AWSResponse = self._session.send(request)
        match fault:
            case Fault.LOST_ANSWER:
                raise ReadTimeoutError(endpoint_url=request.url)
            case Fault.CRASH_AFTER:
                raise Crash
            case Fault.ERROR_AFTER:
                return _answer(request.url, 500, "InternalServerError")
            case Fault.CONFLICT_BESIDE_ROW | Fault.CONFLICT_BESIDE_UPDATE:
                return _with_a_conflict(answer, request.url, _BESIDE[fault])
            case Fault.DOUBLED:
                return self._session.send(request)  # type: ignore[no-any-return]
        return answer

    def close(self) -> None:
        """Close the session below."""
        self._session.close()
