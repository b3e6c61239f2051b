"""Publishes what the stream of the table of contracts tells, up to ten messages with one call."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from infra.contracts.timeline_changes import (
    ChangePublisher,
    Message,
    NotPublishedError,
    messages_of,
    number_of,
)
from infra.telemetry import logger

_AT_ONCE = 10
"""Messages that EventBridge takes with one call; ten of ours are far from its limit of 256 KB."""

Record = Mapping[str, Any]


class _Placed(NamedTuple):
    """A message, and the place of its record in the batch."""

    place: int
    message: Message


def publish_changes(publisher: ChangePublisher, records: Sequence[Record]) -> list[int]:
    """Publish the changes in `records`; return the places of those that are to be delivered again.

    A record that cannot be read, or a message that the bus refuses, does not stop the others. Each is logged with its
    contract, since the dead letter names none, and who announces the contract by hand needs its number.
    """
    failed: set[int] = set()
    placed: list[_Placed] = []
    for place, record in enumerate(records):
        try:
            placed += [_Placed(place, message) for message in messages_of(record)]
        except Exception:  # whatever is wrong with one record, the others do not wait for it
            _log(record)
            failed.add(place)
    for part in _parts(placed):
        for place in _publish(publisher, part):
            _log(records[place])
            failed.add(place)
    return sorted(failed)


def _parts(placed: Sequence[_Placed]) -> Iterator[Sequence[_Placed]]:
    return (placed[first : first + _AT_ONCE] for first in range(0, len(placed), _AT_ONCE))


def _publish(publisher: ChangePublisher, part: Sequence[_Placed]) -> Iterator[int]:
    """Put messages on the bus; yield the places of those that it did not take."""
    try:
        publisher.publish([message for _, message in part])
    except NotPublishedError as error:
        yield from sorted({part[index].place for index in error.refused})
    except Exception:
        logger.exception("The bus did not answer")
        yield from sorted({place for place, _ in part})


def _log(record: Record) -> None:
    logger.error("Change not published", contract_number=number_of(record))
