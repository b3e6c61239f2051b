"""`make rebuild-sums`: stores the missing sums of hours that are older than sums, so that summaries need no lines.

Until then their lines are summed for each request. The command may be interrupted and run again.
"""

import os
import sys
from collections.abc import Iterator, Sequence

from infra.commands.command_error import CommandError
from infra.meters.meter_store import MeterStore
from infra.meters.reading_store import ReadingStore
from infra.operate import clients
from infra.operate.command import names_in, required_variable, run_steps, stack_outputs

_PAGE = 100


def rebuild(meters: MeterStore, readings: ReadingStore, names: Sequence[str]) -> Iterator[str]:
    """Store the missing sums of the meters named, or of all; yield for each how many hours had none.

    CommandError names those that do not exist, when the others are done.
    """
    unknown = []
    for meter_id in names or _all_meters(meters):
        if meters.get(meter_id) is None:
            unknown.append(meter_id)
        else:
            yield f"meter {meter_id}: {readings.rebuild_sums(meter_id)} hours rebuilt"
    if unknown:
        raise CommandError(f"no such meters: {', '.join(unknown)}")


def _all_meters(meters: MeterStore) -> Iterator[str]:
    after: str | None = None
    while True:
        page = meters.page(_PAGE, after)
        yield from (meter.id for meter in page.meters)
        if page.next_after is None:
            return
        after = page.next_after


def _steps() -> Iterator[str]:
    stack = required_variable(os.environ, "STACK", "the name of the deployed stack")
    table = stack_outputs(clients.cloudformation(), stack)["readings_table_name"]
    client = clients.dynamodb()
    yield from rebuild(MeterStore(client, table), ReadingStore(client, table), names_in(os.environ, "METERS"))


if __name__ == "__main__":
    sys.exit(run_steps(_steps))
