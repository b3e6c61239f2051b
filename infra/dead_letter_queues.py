"""All dead letter queues of a stage, as the API uses them: counted, listed and redriven in bounded time."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from infra.dead_letters import QUEUES, REDRIVEN, DeadLetter, Selection, received, redrive
from infra.parallel import in_parallel
from infra.time_left import IsTimeLeft

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

MOST_READ = 100
"""Dead letters of one queue that a list reads: a message may have 256 KiB, and all are in memory at once."""

_VISIBLE: "QueueAttributeNameType" = "ApproximateNumberOfMessages"
_HELD: "QueueAttributeNameType" = "ApproximateNumberOfMessagesNotVisible"
_COUNTS: "Sequence[QueueAttributeNameType]" = (_VISIBLE, _HELD)


class Redriven(NamedTuple):
    """How many dead letters were sent, how many were not there, and about how many there was no time for."""

    redriven: int
    gone: int
    left: int


class DeadLetterQueues:
    """The dead letter queues by the names of their sources, and the queue that takes events again."""

    def __init__(self, client: "SQSClient", urls: Mapping[str, str], target: str) -> None:
        self.client = client
        self.urls = urls
        self.target = target

    def counts(self) -> dict[str, int]:
        """Return how many dead letters each queue has, by SQS's count, which may be a minute late."""
        return dict(in_parallel(lambda queue: [(queue, self._count(queue))], QUEUES, len(QUEUES)))

    def listed(self, queues: Collection[str]) -> list[DeadLetter]:
        """Read the dead letters of `queues`, at most MOST_READ of each, the newest first.

        Only as many as SQS counts are received: to find that a queue is empty would take a second.
        """

        def read(queue: str) -> list[DeadLetter]:
            most = min(self._count(queue, held=False), MOST_READ)
            with received(self.client, queue, self.urls[queue], most=most) as letters:
                return letters

        return sorted(in_parallel(read, queues, len(QUEUES)), key=position_of, reverse=True)

    def redrive(
        self, selected: Mapping[str, Collection[str]] | None, now: datetime, is_time_left: IsTimeLeft
    ) -> Redriven:
        """Send dead letters of REDRIVEN to the ingestion queue: of each queue the `selected` ids, or all."""

        def work(queue: str) -> list[Redriven]:
            only = None if selected is None else frozenset(selected.get(queue, ()))
            return [self._redrive(queue, only, now, is_time_left)]

        done = in_parallel(work, REDRIVEN, len(REDRIVEN))
        return Redriven(*map(sum, zip(*done, strict=True)))

    def _redrive(
        self, queue: str, only: frozenset[str] | None, now: datetime, is_time_left: IsTimeLeft
    ) -> Redriven:
        if only == frozenset() or not self._count(queue):
            return Redriven(0, gone=len(only or ()), left=0)
        urls = self.urls[queue], self.target
        sent = redrive(self.client, queue, urls, Selection(now, only), is_time_left=is_time_left)
        missing = len(only) - len(sent) if only is not None else 0
        if is_time_left():
            return Redriven(len(sent), gone=missing, left=0)
        return Redriven(len(sent), gone=0, left=self._count(queue) if only is None else missing)

    def _count(self, queue: str, *, held: bool = True) -> int:
        """Return how many messages a queue has, with or without those that a receiver holds."""
        answer = self.client.get_queue_attributes(QueueUrl=self.urls[queue], AttributeNames=_COUNTS)
        counts = answer["Attributes"]
        return int(counts[_VISIBLE]) + (int(counts[_HELD]) if held else 0)


def position_of(letter: DeadLetter) -> tuple[datetime, str]:
    """Return where a letter stands in the list."""
    return letter.sent_at, letter.message_id
