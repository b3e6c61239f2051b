"""Applies the stream of the contracts table to the portfolio: each new image of a contract, and each decided event."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from domain.portfolio.entries import Entry
from infra.contracts.contract_items import read_contract, version_of
from infra.parallel import in_parallel
from infra.portfolio.event_log import EventLog, is_decided_event
from infra.portfolio.portfolio_items import Item
from infra.portfolio.portfolio_store import PortfolioStore
from infra.telemetry import logger
from infra.time_left import IsTimeLeft, NoTimeError, always

_CONTRACTS_AT_ONCE = 10
"""Threads; the client keeps ten connections."""

Record = Mapping[str, Any]


class _Numbered(NamedTuple):
    """A record, and its index in the batch."""

    place: int
    record: Record


def number_of(record: Record) -> str:
    """Return the number of the contract that a record is about."""
    return str(record["dynamodb"]["Keys"]["pk"]["S"]).split("#")[1]


def entry_of(number: str, item: Item) -> Entry:
    """Return the entry of the contract `number`, from its item or its tombstone."""
    return Entry.of(number, version_of(item), read_contract(item))


def follow(
    portfolio: PortfolioStore,
    log: EventLog,
    records: Sequence[Record],
    is_time_left: IsTimeLeft = always,
) -> list[int]:
    """Apply records of the stream, those of a contract in order; return the indexes of those that failed.

    After an error, only the records of that contract are not applied; the error is logged with its number.
    """
    by_contract: dict[str, list[_Numbered]] = {}
    for place, record in enumerate(records):
        by_contract.setdefault(number_of(record), []).append(_Numbered(place, record))

    def apply_in_turn(numbered: list[_Numbered]) -> list[int]:
        for index, (_, record) in enumerate(numbered):
            try:
                if not is_time_left():
                    raise NoTimeError  # noqa: TRY301 - logged and returned like every other error
                _apply(portfolio, log, record)
            except Exception:  # whatever is wrong with one contract, the others do not wait for it
                logger.exception("Portfolio not updated", contract_number=number_of(record))
                return [place for place, _ in numbered[index:]]
        return []

    return sorted(in_parallel(apply_in_turn, by_contract.values(), _CONTRACTS_AT_ONCE))


def _apply(portfolio: PortfolioStore, log: EventLog, record: Record) -> None:
    images = record["dynamodb"]
    before, after = images.get("OldImage"), images.get("NewImage")
    if images["Keys"]["sk"]["S"] != "CONTRACT":
        if after is not None and is_decided_event(after):
            log.add(after, datetime.now(UTC).date())
    elif after is not None:
        portfolio.apply(entry_of(number_of(record), after))
    elif before is not None:
        # Deleted from the table itself, by `make forget`: the portfolio forgets it too.
        portfolio.remove(number_of(record), version_of(before))
