"""Follows the stream of the table of contracts: the newest image of each contract, and each decided event."""

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
    """A record, and its place in the batch."""

    place: int
    record: Record


def number_of(record: Record) -> str:
    """Return the number of the contract that a record is about."""
    return str(record["dynamodb"]["Keys"]["pk"]["S"]).split("#")[1]


def entry_of(number: str, item: Item) -> Entry:
    """Return what the portfolio is to know of the contract `number` as its item, or its tombstone, has it."""
    return Entry.of(number, version_of(item), read_contract(item))


def follow(
    portfolio: PortfolioStore,
    log: EventLog,
    records: Sequence[Record],
    is_time_left: IsTimeLeft = always,
) -> list[int]:
    """Apply records of the stream, those of a contract in turn; return the places of those that failed.

    An error ends the records of its own contract only, and is logged with its number.
    """
    by_contract: dict[str, list[_Numbered]] = {}
    for place, record in enumerate(records):
        by_contract.setdefault(number_of(record), []).append(_Numbered(place, record))

    def apply_in_turn(numbered: list[_Numbered]) -> list[int]:
        for index, (_, record) in enumerate(numbered):
            try:
                if not is_time_left():
                    raise NoTimeError  # noqa: TRY301 - logged and handed back like every other reason
                _apply(portfolio, log, record)
            except Exception:  # whatever is wrong with one contract, the others are not to wait for it
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
        # Deleted from the table itself, by who forgets a customer: nothing is to be remembered here either.
        portfolio.remove(number_of(record), version_of(before))
