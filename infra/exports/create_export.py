"""Creates exports, and limits how many a user may have open: each open job occupies one of the user's slots.

A slot is an item in the table of jobs with the id of the job that occupies it. It is free again when that job no
longer counts as open, so that no code that ends a job has to free it.
"""

from datetime import datetime
from typing import Any

from domain.exports import MAX_OPEN_EXPORTS, ExportJob, TooManyExportsError, counts_as_open
from infra.batch_reads import read_items
from infra.exports.job_items import readable
from infra.exports.job_store import ExportStore
from infra.write_outcomes import Applied, BusyError

# Condition of taking a slot: it is still as free as it was when it was read.
IS_STILL_FREE = "attribute_not_exists(#holder) OR #holder = :former"

_ATTEMPTS = 8


def create_in_slot(jobs: ExportStore, job: ExportJob) -> None:
    """Store a new job of a user who has fewer than MAX_OPEN_EXPORTS open ones.

    Raises:
        TooManyExportsError: the owner has that many.
        BusyError: other jobs of the owner took the slot in every attempt.
        OutcomeUnknownError: the response to the write was lost.
    """
    for _ in range(_ATTEMPTS):
        slot, former = _free_slot(jobs, job.owner, now=job.created_at)
        take = {
            "TableName": jobs.table,
            "Item": _slot_key(job.owner, slot) | {"holder": {"S": job.id}},
            "ConditionExpression": IS_STILL_FREE,
            "ExpressionAttributeNames": {"#holder": "holder"},
            "ExpressionAttributeValues": {":former": {"S": former}},
        }
        if isinstance(jobs.writer.transact([{"Put": jobs.put_of(job)}, {"Put": take}]), Applied):
            return
        # Another job of the same owner has taken the slot: look for another one.
    raise BusyError


def _free_slot(jobs: ExportStore, owner: str, now: datetime) -> tuple[int, str]:
    """Return a slot that no open job occupies, and the id of the job in it, if any."""
    keys = [_slot_key(owner, slot) for slot in range(MAX_OPEN_EXPORTS)]
    slots = read_items(jobs.client, jobs.table, keys)
    holders = {item["job_id"]["S"]: item["holder"]["S"] for item in slots}
    holding = read_items(jobs.client, jobs.table, [{"job_id": {"S": holder}} for holder in holders.values()])
    open_jobs = {job.id for job in readable(holding) if counts_as_open(job, now)}
    for slot in range(MAX_OPEN_EXPORTS):
        former = holders.get(_slot_key(owner, slot)["job_id"]["S"], "")
        if former not in open_jobs:
            return slot, former
    raise TooManyExportsError


def _slot_key(owner: str, slot: int) -> dict[str, Any]:
    return {"job_id": {"S": f"SLOT#{owner}#{slot}"}}
