"""All dead letter queues of a stage, as the API uses them: counted, listed and redriven in bounded time."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from infra.aws import DEPENDENCY_ERRORS
from infra.dead_letters import QUEUES, REDRIVEN, DeadLetter, receive, release
from infra.parallel import in_parallel
from infra.telemetry import logger
from infra.time_left import IsTimeLeft

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

MOST_READ = 100
"""Dead letters of one queue that a list reads; a message may have 256 KiB, and all are in memory at once."""

_HOLD_SECONDS = 30
"""No longer than a request: if its process dies, what it received is visible again after that."""

_PAGE = 10  # SQS gives no more at once

_MOST_EMPTY = 3
"""How often a redrive finds nothing, though messages are counted, until it stops: the count may be late, and a
message that someone else reads is visible again soon."""

_COUNTS: Sequence["QueueAttributeNameType"] = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class Redriven(NamedTuple):
    """How many dead letters a redrive sent, how many were not there, and about how many it had no time for."""

    redriven: int = 0
    gone: int = 0
    left: int = 0


class DeadLetterQueues:
    """The dead letter queues by the names of their sources, and the queue that takes events again."""

    def __init__(self, client: "SQSClient", urls: Mapping[str, str], target: str) -> None:
        self.client = client
        self.urls = urls
        self.target = target

    def counts(self) -> dict[str, int]:
        """Return how many dead letters each queue has; SQS counts messages to about a minute."""
        return dict(in_parallel(lambda queue: [(queue, sum(self._count(queue)))], QUEUES, len(QUEUES)))

    def listed(self, queues: Collection[str], is_time_left: IsTimeLeft) -> list[DeadLetter]:
        """Read the dead letters of `queues`, at most MOST_READ of each, the newest first.

        SQS has no call that only looks. They are received, are out of sight of other receivers meanwhile, and
        are visible again when this returns.
        """

        def read(queue: str) -> list[DeadLetter]:
            visible, _ = self._count(queue)
            return self._read(queue, min(visible, MOST_READ), is_time_left)

        letters = in_parallel(read, queues, len(QUEUES))
        return sorted(letters, key=position_of, reverse=True)

    def redrive(
        self, selected: Mapping[str, Collection[str]] | None, before: datetime, is_time_left: IsTimeLeft
    ) -> Redriven:
        """Send dead letters of REDRIVEN to the ingestion queue again: the `selected` ids of each queue, or all.

        Each is sent first and deleted afterwards: a crash in between sends it twice, which is harmless because of the
        id in its envelope. Of all, those sent at or after `before`, when the redrive began, have become dead letters
        again in the meantime, and stay.
        """

        def work(queue: str) -> list[Redriven]:
            wanted = None if selected is None else set(selected.get(queue, ()))
            return [self._redrive(queue, wanted, before, is_time_left)]

        done = in_parallel(work, REDRIVEN, len(REDRIVEN))
        return Redriven(*map(sum, zip(*done, strict=True)))

    def _read(self, queue: str, most: int, is_time_left: IsTimeLeft) -> list[DeadLetter]:
        held: dict[str, DeadLetter] = {}
        try:
            while len(held) < most and is_time_left():
                page = self._receive(queue, min(_PAGE, most - len(held)))
                if not page:
                    break
                held |= {letter.message_id: letter for letter in page}
        finally:
            self._release(queue, held.values())
        return list(held.values())

    def _redrive(
        self, queue: str, wanted: set[str] | None, before: datetime, is_time_left: IsTimeLeft
    ) -> Redriven:
        sent, empty = 0, 0
        others: list[DeadLetter] = []
        try:
            while wanted != set() and empty < _MOST_EMPTY and is_time_left():
                page = self._receive(queue, _PAGE)
                if not page:
                    empty = empty + 1 if self._is_hidden_elsewhere(queue, len(others)) else _MOST_EMPTY
                for letter in page:
                    if letter.message_id in wanted if wanted is not None else letter.sent_at < before:
                        self._send_again(letter)
                        sent += 1
                        wanted = wanted - {letter.message_id} if wanted is not None else None
                    else:
                        others.append(letter._replace(body=""))  # it is only to be released
        finally:
            self._release(queue, others)
        if empty >= _MOST_EMPTY:
            return Redriven(sent, gone=len(wanted or ()))
        return Redriven(sent, left=sum(self._count(queue)) if wanted is None else len(wanted))

    def _send_again(self, letter: DeadLetter) -> None:
        self.client.send_message(QueueUrl=self.target, MessageBody=letter.body)
        self.client.delete_message(QueueUrl=self.urls[letter.queue], ReceiptHandle=letter.receipt_handle)

    def _is_hidden_elsewhere(self, queue: str, held: int) -> bool:
        """Return whether someone else is reading the queue; what they hold will be visible again soon."""
        return sum(self._count(queue)) > held

    def _count(self, queue: str) -> tuple[int, int]:
        """Return how many messages are visible, and how many a receiver holds."""
        answer = self.client.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=_COUNTS)
        visible, hidden = (int(answer["Attributes"][name]) for name in _COUNTS)
        return visible, hidden

    def _receive(self, queue: str, most: int) -> list[DeadLetter]:
        return receive(self.client, queue, self.urls[queue], most=most, hold_seconds=_HOLD_SECONDS)

    def _release(self, queue: str, letters: Iterable[DeadLetter]) -> None:
        try:
            release(self.client, self.urls[queue], letters)
        except DEPENDENCY_ERRORS as error:
            # They are visible again when the visibility timeout ends; what was read or sent is no less so.
            logger.warning("Dead letters not released", queue=queue, reason=str(error))


def position_of(letter: DeadLetter) -> tuple[datetime, str]:
    """Return where a letter stands in the list."""
    return letter.sent_at, letter.message_id
