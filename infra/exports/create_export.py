"""How many exports a user may have open: each open job holds one of the user's slots.

A slot is an item beside the jobs that names the job holding it, and it is free again when that job no longer
counts as open; so nothing that ends a job has to know of slots.
"""

from datetime import datetime
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from domain.exports import MAX_OPEN_EXPORTS, ExportJob, TooManyExportsError, counts_as_open
from infra.aws import BusyError, write_errors_classified
from infra.exports.job_items import readable
from infra.exports.job_store import ExportStore

# Condition of taking a slot: nobody else has since it was found free.
IS_STILL_FREE = "attribute_not_exists(#holder) OR #holder = :former"

_ATTEMPTS = 8


def create_in_slot(jobs: ExportStore, job: ExportJob) -> None:
    """Store a new job of a user who has fewer than MAX_OPEN_EXPORTS open ones.

    Raises:
        TooManyExportsError: the owner has as many.
        BusyError: other jobs of the owner were faster each time.
        OutcomeUnknownError: the answer to the write was lost.
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
        writes: list[Any] = [{"Put": jobs.put_of(job)}, {"Put": take}]
        try:
            with write_errors_classified():
                jobs.client.transact_write_items(ClientRequestToken=uuid4().hex, TransactItems=writes)
        except ClientError:
            continue  # another job of the same owner was faster: look again
        return
    raise BusyError


def _free_slot(jobs: ExportStore, owner: str, now: datetime) -> tuple[int, str]:
    """Return a slot that no open job holds, and the job that held it last, if any."""
    slots = _read(jobs, [_slot_key(owner, slot) for slot in range(MAX_OPEN_EXPORTS)])
    holders = {item["job_id"]["S"]: item["holder"]["S"] for item in slots}
    held = _read(jobs, [{"job_id": {"S": holder}} for holder in holders.values()]) if holders else []
    open_jobs = {job.id for job in readable(held) if counts_as_open(job, now)}
    for slot in range(MAX_OPEN_EXPORTS):
        former = holders.get(_slot_key(owner, slot)["job_id"]["S"], "")
        if former not in open_jobs:
            return slot, former
    raise TooManyExportsError


def _slot_key(owner: str, slot: int) -> dict[str, Any]:
    return {"job_id": {"S": f"SLOT#{owner}#{slot}"}}


def _read(jobs: ExportStore, keys: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = jobs.client.batch_get_item(RequestItems={jobs.table: {"Keys": keys, "ConsistentRead": True}})
    if answer.get("UnprocessedKeys"):
        raise BusyError
    return answer["Responses"].get(jobs.table, [])
