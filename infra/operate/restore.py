"""`make restore`: replaces the items of a deployed table, or of some contracts or meters, by those of a restored table.

DynamoDB restores a point in time into a new table. The stack keeps its own table, with its name, stream and alarms,
so the restored items are copied back into it. No other process should write during the copy: docs/operations.md
describes how to ensure that.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.commands.command_error import CommandError
from infra.contracts.contract_items import key_of
from infra.contracts.trail_rows import NO_CONTRACT, partition_of
from infra.meters.meter_store import partition_of as meter_partition_of
from infra.operate import clients
from infra.operate.command import names_in, require_confirmation, required_variable, run_steps
from infra.operate.segments import Phase, Places, run_phase
from infra.operate.table_copies import TableCopy

_FOLDER = Path(".restore")


def restore(copy: TableCopy, folder: Path = _FOLDER) -> Iterator[str]:
    """Replace all items of the target by those of the source, in parallel segments; yield how far it is.

    Where it is stands in a file in `folder`, so that an interrupted restore goes on when it is started again.
    """
    places = Places.of(folder / f"{copy.target}-from-{copy.source}.json", copy.identity)
    if places.resumed:
        yield "going on where the interrupted restore was"
    missing = f"items deleted that are not in {copy.source}"
    yield from run_phase(
        copy.client, Phase(missing, copy.target, copy.delete_missing, options=copy.keys_only), places
    )
    copied = Phase("items copied", copy.source, copy.put, total=copy.items)
    yield from run_phase(copy.client, copied, places)
    places.forget()


def restore_parts(copy: TableCopy, contracts: list[str], meters: list[str]) -> Iterator[str]:
    """Replace contracts with all their trails, and meters with their readings; yield each when it is done.

    Only their own partitions are read.

    Raises:
        CommandError: neither table has something about one of the names; nothing was changed.
    """
    parts = {f"contract {number}": _partitions_of(copy, number) for number in contracts}
    parts |= {f"meter {meter_id}": [meter_partition_of(meter_id)["S"]] for meter_id in meters}
    unknown = [name for name, partitions in parts.items() if not any(map(copy.has, partitions))]
    if unknown:
        raise CommandError(
            f"nothing was changed: neither {copy.target} nor {copy.source} has {', '.join(unknown)}"
        )
    for name, partitions in parts.items():
        counts = [copy.restore_partition(partition) for partition in partitions]
        deleted, copied = (sum(each) for each in zip(*counts, strict=True))
        yield f"{name}: {copied:,} items copied, {deleted:,} deleted that are not in {copy.source}"


def _partitions_of(copy: TableCopy, number: str) -> list[str]:
    """Return the partitions of a contract and of its trails in each generation that one of the tables knows."""
    contract = key_of(number)["pk"]["S"]
    found = (item for table in (copy.target, copy.source) for item in copy.partition(table, contract))
    last = max((int(item["generation"]["N"]) for item in found if "generation" in item), default=NO_CONTRACT)
    return [*(partition_of(number, generation) for generation in range(NO_CONTRACT, last + 1)), contract]


def _described(environment: Mapping[str, str], target: str) -> tuple[list[str], list[str], str]:
    """Return the contracts and the meters that are asked for, and in words what will be overwritten."""
    if environment.get("PREFIX"):
        raise CommandError("PREFIX= is now CONTRACTS= or METERS=, with commas between the names")
    contracts, meters = (names_in(environment, variable) for variable in ("CONTRACTS", "METERS"))
    named = [f"contract {number}" for number in contracts] + [f"meter {meter_id}" for meter_id in meters]
    return contracts, meters, f"{', '.join(named)} in {target}" if named else f"every item of {target}"


def _steps() -> Iterator[str]:
    target = required_variable(os.environ, "TABLE", "the name of the stack's table")
    source = required_variable(os.environ, "FROM", "the name of the restored table")
    contracts, meters, what = _described(os.environ, target)
    require_confirmation(os.environ, target, f"this overwrites {what}")
    copy = TableCopy.of(clients.dynamodb(), target, source)
    yield from restore_parts(copy, contracts, meters) if contracts or meters else restore(copy)


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
