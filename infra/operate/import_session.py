"""Sends the contracts and events of a file in bulk; what is sent again is recognised and not applied twice."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.instants import parse_instant
from infra.operate.import_lines import ImportLine, Payload, SentEvent, UnusableLineError, read_line

_AT_ONCE = 500
"""Contracts or events of one request."""

Send = Callable[[str, Payload], Payload]
"""Posts a body to a path, and returns the answer."""

Refused = dict[str, Any]


@dataclass
class ImportSession:
    """One import: counts each verdict, and calls `refuse` with each contract or event that is refused."""

    send: Send
    refuse: Callable[[Refused], None]
    contracts: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)

    def run(self, lines: Iterable[str]) -> Iterator[int]:
        """Send the contracts of `lines`; yield after each request how many lines were read.

        Raises:
            Exception: what `send` raised; running it again on the same lines sends the rest.
        """
        chunk: list[tuple[int, ImportLine]] = []
        number = 0
        for number, text in enumerate(lines, 1):
            if not text.strip():
                continue
            try:
                line = read_line(text)
            except UnusableLineError as error:
                self.contracts["malformed_line"] += 1
                self.refuse({"line": number, "code": "malformed_line", "message": str(error)})
                continue
            chunk.append((number, line))
            if len(chunk) == _AT_ONCE:
                yield from self._send_chunk(chunk)
                chunk = []
        if chunk:
            yield from self._send_chunk(chunk)
        yield number

    def _send_chunk(self, chunk: Sequence[tuple[int, ImportLine]]) -> Iterator[int]:
        answer = self.send("/contracts", {"contracts": [line.contract for _, line in chunk]})
        accepted: list[tuple[int, ImportLine]] = []
        for (number, line), result in zip(chunk, answer["results"], strict=True):
            self.contracts[result["code"]] += 1
            if result["status"] == "rejected":
                self.refuse(_refusal(number, line.number, result) | {"contract": line.contract})
            else:
                accepted.append((number, line))
        yield chunk[-1][0]
        for batch in _batches([(number, line.events) for number, line in accepted]):
            self._send_events(batch)
            yield chunk[-1][0]
        for number, line in accepted:
            if not line.is_reproduced:
                message = "The events of this line do not give its dates."
                reason = {"code": "timeline_differs", "message": message}
                self.refuse(_refusal(number, line.number, reason))

    def _send_events(self, batch: Sequence[tuple[int, SentEvent]]) -> None:
        answer = self.send("/events", {"events": [event.payload for _, event in batch]})
        for (number, event), result in zip(batch, answer["results"], strict=True):
            code = result["code"]
            self.events["repeated" if result.get("repeated") else code] += 1
            # Events that the rules refuse here were refused in the exporting service too.
            if result["status"] == "rejected" and code != event.expected_code:
                self.refuse(
                    _refusal(number, event.payload["contract_number"], result) | {"event": event.payload}
                )


def _refusal(line: int, number: str, result: Payload) -> Refused:
    return {
        "line": line,
        "contract_number": number,
        "code": result["code"],
        "message": result["message"],
    }


def _batches(
    contracts: Sequence[tuple[int, list[SentEvent]]],
) -> Iterator[list[tuple[int, SentEvent]]]:
    """Yield requests of events that keep the order of each contract's.

    A request is applied in the order of `created_at`, ties as given. So it contains events of a contract only
    while these are in that order; the rest follows in later requests.
    """
    waiting = [(number, events, 0) for number, events in contracts if events]
    while waiting:
        batch: list[tuple[int, SentEvent]] = []
        left = []
        for number, events, done in waiting:
            end = min(_end_of_run(events, done), done + _AT_ONCE - len(batch))
            batch += ((number, event) for event in events[done:end])
            if end < len(events):
                left.append((number, events, end))
        yield batch
        waiting = left


def _end_of_run(events: Sequence[SentEvent], start: int) -> int:
    for index in range(start + 1, len(events)):
        if _made_at(events[index]) < _made_at(events[index - 1]):
            return index
    return len(events)


def _made_at(event: SentEvent) -> Any:  # noqa: ANN401 - an instant, only compared
    return parse_instant(event.payload["created_at"])
