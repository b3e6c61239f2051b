"""Export jobs in DynamoDB: one item each, every write on condition that the job is still the one that was read."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.export_changes import Refusal
from domain.exports import ExportJob
from infra.conditional_writes import Writer
from infra.exports.job_items import OPEN, StoredJob, number_of, readable, to_item, to_job
from infra.write_outcomes import Applied

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Conditions of the writes below.
IS_NEW = "attribute_not_exists(#job_id)"
IS_UNCHANGED = "#change = :change"


MAX_ITEMS_READ = 500
"""How many items are read for one page of a history, even if it shows few of them."""

Decide = Callable[[ExportJob], ExportJob | Refusal]


class Page(NamedTuple):
    """Some jobs of a meter, the newest first, and the position after which the next page starts, if any."""

    jobs: tuple[ExportJob, ...]
    next_after: str | None


class ExportStore:
    """The export jobs of one table; `fresh_id` returns a new id for each write."""

    def __init__(self, client: "DynamoDBClient", table: str, fresh_id: Callable[[], str]) -> None:
        self.client = client
        self.table = table
        self.writer = Writer(client)
        self.fresh_id = fresh_id

    def create(self, job: ExportJob) -> None:
        """Store a new job. No refusal matters: its id is random, so only this very write can have stored it.

        Raises:
            OutcomeUnknownError: the response to the write was lost.
        """
        self.writer.put(**self.put_of(job))

    def put_of(self, job: ExportJob) -> Any:  # noqa: ANN401 - alone and in a transaction typed apart
        """Return the write that stores a new job."""
        return {
            "TableName": self.table,
            "Item": to_item(StoredJob(job, self.fresh_id())),
            "ConditionExpression": IS_NEW,
            "ExpressionAttributeNames": {"#job_id": "job_id"},
        }

    def get(self, job_id: str) -> ExportJob | None:
        """Read a job, consistently."""
        stored = self._get(job_id)
        return stored.job if stored else None

    def ping(self) -> None:
        """Read from the table, to check that it answers."""
        self.client.get_item(TableName=self.table, Key={"job_id": {"S": "-"}})

    def change(self, job_id: str, decide: Decide) -> ExportJob | Refusal:
        """Store the job that `decide` returns for the stored one, and return it, or its refusal.

        `decide` is called again if another write came first; no change is ever overwritten.

        Raises:
            OutcomeUnknownError: the response to the write was lost.
        """
        stored = self._get(job_id)
        while stored is not None:
            after = decide(stored.job)
            if isinstance(after, Refusal):
                return after
            stored, applied = self._replace(stored, after)
            if applied:
                return after
        return Refusal.NOT_FOUND

    def _get(self, job_id: str) -> StoredJob | None:
        answer = self.client.get_item(
            TableName=self.table, Key={"job_id": {"S": job_id}}, ConsistentRead=True
        )
        return to_job(answer["Item"]) if "Item" in answer else None

    def _replace(self, before: StoredJob, job: ExportJob) -> tuple[StoredJob | None, bool]:
        """Store `job` if nothing has changed since `before`; return the stored job, if any, and whether it is `job`."""
        after = StoredJob(job, self.fresh_id())
        outcome = self.writer.put(
            TableName=self.table,
            Item=to_item(after),
            ConditionExpression=IS_UNCHANGED,
            ExpressionAttributeNames={"#change": "change"},
            ExpressionAttributeValues={":change": {"S": before.change}},
        )
        if isinstance(outcome, Applied):
            return after, True
        found = to_job(outcome.item) if outcome.item else None
        # If this very write is stored, it was resent after a lost response.
        return found, found is not None and found.change == after.change

    def page(self, meter_id: str, limit: int, after: str | None, owner: str | None = None) -> Page:
        """List the jobs of a meter, the newest first; a change appears within about a second.

        With an `owner` only the owner's jobs are read, of all meters: at most MAX_ITEMS_READ for one page,
        which may have fewer than `limit` jobs although more follow.
        """
        query = _query_of_meter(meter_id, limit) if owner is None else _query_of_owner(owner, meter_id)
        if after is not None:
            query["ExclusiveStartKey"] = _position_key(query, after)
        answer = self.client.query(TableName=self.table, **query)
        shown = answer["Items"][:limit]
        read_to = shown[-1] if len(answer["Items"]) > limit else answer.get("LastEvaluatedKey")
        return Page(
            tuple(readable(shown)),
            f"{read_to['created_at']['N']} {read_to['job_id']['S']}" if read_to else None,
        )

    def overdue(self, now: datetime) -> Iterator[str]:
        """Yield the ids of pending jobs that were due before `now`, the longest overdue first."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="open",
            KeyConditionExpression="#open = :open AND #due_at <= :now",
            ExpressionAttributeNames={"#open": "open", "#due_at": "due_at"},
            ExpressionAttributeValues={":open": {"S": OPEN}, ":now": number_of(now)},
        )
        for page in pages:
            for item in page["Items"]:
                yield item["job_id"]["S"]


def _query_of_meter(meter_id: str, limit: int) -> dict[str, Any]:
    return {
        "IndexName": "by_meter",
        "KeyConditionExpression": "#meter = :meter",
        "ExpressionAttributeNames": {"#meter": "smart_meter_id"},
        "ExpressionAttributeValues": {":meter": {"S": meter_id}},
        "ScanIndexForward": False,
        "Limit": limit + 1,  # one more, which shows whether others follow
    }


def _query_of_owner(owner: str, meter_id: str) -> dict[str, Any]:
    return {
        "IndexName": "by_owner",
        "KeyConditionExpression": "#owner = :owner",
        "FilterExpression": "#meter = :meter",
        "ExpressionAttributeNames": {"#owner": "owner", "#meter": "smart_meter_id"},
        "ExpressionAttributeValues": {":owner": {"S": owner}, ":meter": {"S": meter_id}},
        "ScanIndexForward": False,
        "Limit": MAX_ITEMS_READ,
    }


def _position_key(query: dict[str, Any], position: str) -> dict[str, Any]:
    created_at, job_id = position.split(" ")
    partition = {"by_meter": "meter", "by_owner": "owner"}[query["IndexName"]]
    return {
        "job_id": {"S": job_id},
        query["ExpressionAttributeNames"][f"#{partition}"]: query["ExpressionAttributeValues"][
            f":{partition}"
        ],
        "created_at": {"N": created_at},
    }
